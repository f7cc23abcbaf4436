#include "engine/module_state.hpp"

#include "model/twin.hpp"

#include <doctest/doctest.h>

using namespace skerry;
using namespace skerry::engine;
using model::RuntimeState;

namespace {
RunRecord started() {
    RunRecord run;
    run.boot_id = "boot-1";
    run.shim = {10, 100};
    run.main = {11, 101};
    run.started_ns = 1'700'000'000'000'000'000;
    return run;
}

model::ModuleSpec spec() {
    model::ModuleSpec out;
    out.name = "filter";
    out.image = "filter:1";
    return out;
}
}  // namespace

TEST_CASE("a run record round trips, and a damaged one is refused") {
    auto run = started();
    run.exited_ns = run.started_ns + 5;
    run.exit_code = 137;
    run.signal = 9;
    run.error = "two\nlines";
    run.notes = {"a", "b"};
    run.sockets = {"/s/workload.sock"};
    const auto again = parse_run_record(format(run));
    REQUIRE(again);
    CHECK(again->boot_id == run.boot_id);
    CHECK(again->shim == run.shim);
    CHECK(again->main == run.main);
    CHECK(again->exit_code == 137);
    CHECK(again->signal == 9);
    CHECK(again->error == "two lines");
    CHECK(again->notes == run.notes);
    CHECK(again->sockets == run.sockets);
    CHECK(format(*again) == format(*parse_run_record(format(*again))));
    for (const auto* bad :
         {"", "skerry-run 2\n", "skerry-run 1\n", "skerry-run 1\nboot x\nshim 1\n", "skerry-run 1\nboot x\nshim -1 5\n",
          "skerry-run 1\nboot x\nshim 1 5\nexit-code x\n", "skerry-run 1\nboot x\nshim 1 5"})
        CHECK_MESSAGE(!parse_run_record(bad), bad);
}

TEST_CASE("the status says how a module ended") {
    const auto never = status_of(spec(), std::nullopt, Alive::no, "boot-1");
    CHECK(never.state == RuntimeState::stopped);
    CHECK_FALSE(never.started);

    const auto running = status_of(spec(), started(), Alive::shim, "boot-1");
    CHECK(running.state == RuntimeState::running);
    CHECK(running.description.empty());
    CHECK(format_rfc3339(*running.started, 0) == "2023-11-14T22:13:20Z");

    auto run = started();
    run.exited_ns = run.started_ns + 1;
    run.exit_code = 0;
    CHECK(status_of(spec(), run, Alive::no, "boot-1").state == RuntimeState::stopped);
    run.exit_code = 3;
    const auto failed = status_of(spec(), run, Alive::no, "boot-1");
    CHECK(failed.state == RuntimeState::failed);
    CHECK(failed.exit_code == 3);
    CHECK(failed.description == "exited with code 3");
    run.signal = 9;
    CHECK(status_of(spec(), run, Alive::no, "boot-1").description == "killed by signal 9 (Killed)");
}

TEST_CASE("an exit code that nobody saw is unknown, and the status says so") {
    const auto lost = status_of(spec(), started(), Alive::no, "boot-1");
    CHECK(lost.state == RuntimeState::failed);
    CHECK_FALSE(lost.exit_code);
    CHECK(lost.description.find("unknown") != std::string::npos);
    const auto rebooted = status_of(spec(), started(), Alive::no, "boot-2");
    CHECK(rebooted.description.find("machine") != std::string::npos);
}

TEST_CASE("the status names ignored options and shortcomings, and returns labels") {
    auto wanted = spec();
    wanted.create_options = *model::parse_object(R"({"Labels":{"a":"b"},"HostConfig":{"Devices":[{}]}})");
    auto run = started();
    run.notes = {"HostConfig.Memory could not be applied: no"};
    const auto status = status_of(wanted, run, Alive::shim, "boot-1");
    CHECK(status.description ==
          "ignored createOptions: HostConfig.Devices; HostConfig.Memory could not be applied: no");
    CHECK(status.create_options == wanted.create_options);
}

TEST_CASE("process status lines are read even with odd names") {
    const auto stat = parse_process_stat("42 (a) b) (c) S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 1 1\n");
    REQUIRE(stat);
    CHECK(stat->state == 'S');
    CHECK(stat->parent == 1);
    CHECK(stat->session == 42);
    CHECK(stat->start_ticks == 98765);
    CHECK_FALSE(parse_process_stat("42 (a"));
    CHECK_FALSE(parse_process_stat(""));
}

TEST_CASE("no module name leaves its folder") {
    CHECK(folder_of("$edgeAgent").value() == "m-$edgeAgent");
    CHECK(folder_of("..").value() == "m-..");
    for (const auto* bad : {"", "a/b", "a b"}) CHECK_FALSE(folder_of(bad));
}
