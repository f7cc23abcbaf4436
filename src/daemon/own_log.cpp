#include "daemon/own_log.hpp"

#include "base/child_process.hpp"
#include "base/recent_log.hpp"
#include "base/timeout.hpp"
#include "daemon/proc_text.hpp"

#include <fmt/format.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>
#include <vector>

namespace skerry::daemon {

using namespace std::chrono_literals;

namespace {
constexpr std::size_t piece = std::size_t{64} * 1024;
constexpr std::size_t largest = std::size_t{64} * 1024 * 1024;
constexpr std::string_view most_lines = "100000";
constexpr Duration longest_silence = 30s;
constexpr std::string_view service = ".service";

bool writes_to_journal() {
    const auto* const named = std::getenv("JOURNAL_STREAM");
    struct stat output{};
    return named != nullptr && ::fstat(STDOUT_FILENO, &output) == 0 &&
           fmt::format("{}:{}", output.st_dev, output.st_ino) == named;
}

std::vector<std::string> command(const OwnLog& log, std::optional<WallTime> since, std::optional<WallTime> until) {
    std::vector<std::string> words{log.journalctl.native(),
                                   "--no-pager",
                                   "--quiet",
                                   "--output=short-iso",
                                   fmt::format("--lines={}", most_lines),
                                   log.unit->of_user ? "--user-unit" : "--unit",
                                   log.unit->name};
    if (since) words.push_back(fmt::format("--since=@{}", unix_seconds(*since)));
    if (until) words.push_back(fmt::format("--until=@{}", unix_seconds(*until)));
    return words;
}

Task<Result<std::string>> read_piece(ChildProcess& child) { co_return co_await child.read(piece); }

// An error: the log ends early; it says why.
Task<Result<>> read_journal(const Executor& executor, Clock& clock, std::vector<std::string> words,
                            const std::function<Task<bool>(std::string)>& take) {
    auto child = ChildProcess::start({.arguments = std::move(words), .piped = true}, executor);
    if (!child) co_return std::unexpected(child.error());
    for (std::size_t size = 0; size < largest;) {
        auto read = co_await with_timeout(clock, longest_silence, read_piece(*child));
        if (!read) co_return fail(Errc::timeout, "journalctl was silent for 30 s");
        if (read->empty()) {
            const auto status = co_await child->wait();
            if (status == 0) co_return Result<>{};
            co_return fail(Errc::io, fmt::format("journalctl ended with status {}", status));
        }
        size += read->size();
        if (!co_await take(std::move(*read))) co_return Result<>{};
    }
    co_return fail(Errc::full, "it is too large; use since");
}

Task<> give_recent(std::optional<WallTime> since, std::optional<WallTime> until,
                   const std::function<Task<bool>(std::string)>& take) {
    std::string text;
    for (auto& line : log::recent_lines())
        if ((!since || line.time >= *since) && (!until || line.time <= *until)) text += line.text;
    for (std::size_t at = 0; at < text.size(); at += piece)
        if (!co_await take(text.substr(at, piece))) co_return;
}
}  // namespace

std::string OwnLog::name() const {
    if (!unit) return "skerry-daemon";
    return unit->name.substr(0, unit->name.size() - (unit->name.ends_with(service) ? service.size() : 0));
}

// Lines "1:name=systemd:/system.slice/skerry.service" or "0::/…". The innermost service is ours: one of a user's
// manager lies in that manager's own ("user@1000.service").
std::optional<JournalUnit> unit_of(std::string_view control_groups) {
    while (!control_groups.empty()) {
        const auto end = control_groups.find('\n');
        const auto line = control_groups.substr(0, end);
        control_groups.remove_prefix(end == control_groups.npos ? control_groups.size() : end + 1);
        const auto controllers = line.find(':');
        const auto path = line.find(":/", controllers == line.npos ? 0 : controllers + 1);
        if (path == line.npos || (!line.starts_with("0::") && !line.contains(":name=systemd:"))) continue;
        auto rest = line.substr(path + 1);
        const bool of_user = rest.contains("/user@");
        while (!rest.empty()) {
            const auto slash = rest.rfind('/');
            const auto name = rest.substr(slash + 1);
            if (name.starts_with("user@")) break;  // the manager: what runs in a user's session is no unit
            if (name.ends_with(service) && !name.starts_with('-'))
                return JournalUnit{.name = std::string(name), .of_user = of_user};
            rest = rest.substr(0, slash);
        }
    }
    return std::nullopt;
}

OwnLog find_own_log(storage::Files& files) {
    OwnLog log;
    if (!writes_to_journal()) return log;
    log.unit = unit_of(proc_text(files, "/proc/self/cgroup"));
    return log;
}

Task<> read_own_log(Executor executor, Clock& clock, OwnLog log, std::optional<WallTime> since,
                    std::optional<WallTime> until, std::function<Task<bool>(std::string)> take) {
    if (log.unit) {
        const auto read = co_await read_journal(executor, clock, command(log, since, until), take);
        if (read) co_return;
        const auto why = "\nThe journal of " + log.unit->name + " ends early: " + read.error().text +
                         ". What this process remembers:\n";
        if (!co_await take(why)) co_return;
    } else if (!co_await take("The daemon does not write to systemd's journal. What this process remembers, 128 KB at "
                              "most; where its output goes, there may be more:\n")) {
        co_return;
    }
    co_await give_recent(since, until, take);
}

}  // namespace skerry::daemon
