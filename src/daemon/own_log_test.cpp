#include "daemon/own_log.hpp"

#include "base/log.hpp"
#include "base/loop.hpp"
#include "base/recent_log.hpp"
#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <chrono>
#include <fstream>

using namespace skerry;
using namespace skerry::daemon;
using namespace std::chrono_literals;

namespace {

// A journalctl of our own: says what it was asked for, then does `more`.
OwnLog journal(const sim::TemporaryFolder& folder, const std::string& more) {
    const auto program = folder / "journalctl";
    std::ofstream(program) << "#!/bin/sh\necho \"$@\"\n" << more << "\n";
    REQUIRE(::chmod(program.c_str(), 0700) == 0);
    return {.unit = JournalUnit{.name = "edge.service", .of_user = false}, .journalctl = program};
}

Task<bool> append(std::string& out, std::size_t most, std::string bytes) {
    out += bytes;
    co_return out.size() < most;
}

std::string read_all(OwnLog log, std::optional<WallTime> since = {}, std::size_t most = 1'000'000) {
    Loop loop;
    SystemClock clock;
    std::string out;
    const auto main = [&](Event&) -> Task<int> {
        co_await read_own_log(loop.executor(), clock, log, since, {},
                              [&](std::string bytes) { return append(out, most, std::move(bytes)); });
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
    return out;
}

}  // namespace

TEST_CASE("a daemon that writes to the journal is found there by its unit") {
    CHECK(unit_of("12:cpu:/x.service\n1:name=systemd:/system.slice/edge.service\n0::/a.service\n")->name ==
          "edge.service");
    const auto of_user = unit_of("0::/user.slice/user-1000.slice/user@1000.service/app.slice/edge.service\n");
    CHECK(of_user->name == "edge.service");
    CHECK(of_user->of_user);
    CHECK(unit_of("0::/system.slice/edge.service/inner\n")->name == "edge.service");
    CHECK_FALSE(unit_of("0::/system.slice/edge.service\n")->of_user);
    for (const auto* none :
         {"", "0::/", "0::/user.slice/session-3.scope", "nonsense", "3:cpu:/edge.service", "0::/-x.service",
          "0::/user.slice/user-1000.slice/user@1000.service/app.slice/terminal.scope"})
        CHECK_FALSE_MESSAGE(unit_of(none), none);
}

TEST_CASE("the journal is asked for the unit's lines of the time that is wanted") {
    const sim::TemporaryFolder folder;
    const auto log = journal(folder, "echo a line");
    CHECK(log.name() == "edge");
    CHECK(read_all(log, WallTime(77s)) ==
          "--no-pager --quiet --output=short-iso --lines=100000 --unit edge.service --since=@77\na line\n");
}

TEST_CASE("a journal that can't be read is made up for by what the process remembers") {
    log::keep_recent(1024);
    log::warn("remembered {}", 1);
    const sim::TemporaryFolder folder;
    const auto failed = read_all(journal(folder, "exit 3"));
    CHECK(failed.contains("ends early: journalctl ended with status 3"));
    CHECK(failed.contains("[WRN] - remembered 1\n"));
    const auto missing = read_all({.unit = JournalUnit{.name = "edge.service"}, .journalctl = "/no/such/program"});
    CHECK(missing.contains("/no/such/program"));
    CHECK(missing.contains("remembered 1"));
}

TEST_CASE("who has enough of the journal ends journalctl") {
    const sim::TemporaryFolder folder;
    const auto began = std::chrono::steady_clock::now();
    const auto some = read_all(journal(folder, "yes; sleep 100"), {}, 100'000);
    CHECK(some.size() < 300'000);
    CHECK(std::chrono::steady_clock::now() - began < 50s);
}

TEST_CASE("no more of the log is remembered than was agreed") {
    log::keep_recent(1024);
    for (int n = 0; n < 100; ++n) log::info("line {}", n);
    const auto lines = log::recent_lines();
    std::size_t bytes = 0;
    for (const auto& line : lines) bytes += line.text.size();
    CHECK(bytes <= 1024);
    CHECK(lines.back().text.ends_with("line 99\n"));
}
