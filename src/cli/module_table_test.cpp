#include "cli/module_table.hpp"

#include <doctest/doctest.h>

using namespace skerry;
using namespace skerry::cli;
using namespace std::chrono_literals;

namespace {
const WallTime now{1700000000s};

model::ModuleStatus status(model::RuntimeState state) {
    model::ModuleStatus module;
    module.name = "m";
    module.image = "repo/m:1";
    module.state = state;
    module.started = now - 3min;
    return module;
}
}  // namespace

TEST_CASE("a module's description says since when, and with which exit status") {
    CHECK(description_of(status(model::RuntimeState::running), now) == "Up 3 minutes");
    auto failed = status(model::RuntimeState::failed);
    failed.exited = now - 61s;
    failed.exit_code = 137;
    CHECK(description_of(failed, now) == "Failed (137) a minute ago");
    failed.exit_code.reset();
    CHECK(description_of(failed, now) == "Failed (unknown) a minute ago");
    auto stopped = status(model::RuntimeState::stopped);
    CHECK(description_of(stopped, now) == "Stopped");
    stopped.exited = now - 2h;
    CHECK(description_of(stopped, now) == "Stopped 2 hours ago");
    CHECK(description_of(status(model::RuntimeState::unknown), now) == "Unknown");
}

TEST_CASE("the table is sorted by name and its columns line up") {
    auto first = status(model::RuntimeState::running);
    auto second = first;
    second.name = "a-module-with-a-long-name";
    const auto table = module_table({first, second}, now);
    CHECK(table ==
          "NAME                       STATUS          DESCRIPTION     Config\n"
          "a-module-with-a-long-name  running         Up 3 minutes    repo/m:1\n"
          "m                          running         Up 3 minutes    repo/m:1\n");
}
