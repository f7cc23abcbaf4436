#include "agent/logs/tasks.hpp"

#include "sim/world.hpp"

#include <doctest/doctest.h>

#include <boost/json/value.hpp>

using namespace skerry;
using namespace skerry::agent;
using namespace std::chrono_literals;

namespace {

Task<Result<>> take(Clock& clock, Duration duration) {
    co_await clock.sleep(duration);
    co_return Result<>{};
}

}  // namespace

TEST_CASE("a task completes, or is ended after its limit") {
    sim::World world;
    BackgroundTasks tasks(world.clock(), world.random(), world.executor());
    const auto quick = tasks.start("one", take(world.clock(), 1s));
    const auto slow = tasks.start("two", take(world.clock(), 24h));
    REQUIRE(quick);
    REQUIRE(slow);
    world.run_for(0s);
    CHECK(tasks.status(*quick).at("status") == "Running");
    world.run_for(2s);
    CHECK(tasks.status(*quick).at("status") == "Completed");
    world.run_for(601s);
    CHECK(tasks.status(*slow).at("status") == "Failed");
    CHECK(tasks.status("x").at("status") == "Unknown");
    world.run(tasks.close());
}

TEST_CASE("ten tasks run at a time, a hundred are remembered") {
    sim::World world;
    BackgroundTasks tasks(world.clock(), world.random(), world.executor());
    const auto first = tasks.start("first", take(world.clock(), 1s));
    for (int i = 0; i < 9; ++i) REQUIRE(tasks.start("more", take(world.clock(), 1s)));
    CHECK(tasks.start("too many", take(world.clock(), 1s)).error().code == Errc::full);
    world.run_for(2s);
    for (int i = 0; i < 90; ++i) {
        REQUIRE(tasks.start("one", take(world.clock(), 1s)));
        world.run_for(2s);
    }
    CHECK(tasks.status(*first).at("status") == "Completed");
    REQUIRE(tasks.start("another", take(world.clock(), 1h)));
    CHECK(tasks.status(*first).at("status") == "Unknown");
    world.run(tasks.close());
}
