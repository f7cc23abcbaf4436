#include "agent/metrics/availability.hpp"

#include "agent/world_test.hpp"

#include <doctest/doctest.h>

using namespace skerry;
using namespace skerry::agent;
using namespace skerry::agent::testing;
using namespace std::chrono_literals;

namespace {

struct Desk {
    World world;
    std::filesystem::path folder{world.folder / "availability"};
    Availability availability{*world.files, world.clock(), folder};

    void look(bool runs) {
        availability.saw({{"edgeAgent", true, true}, {"filter", true, runs}, {"idle", false, false}});
    }
    Availability::Times of(const std::string& module) {
        const auto found = availability.all().find(module);
        return found == availability.all().end() ? Availability::Times{} : found->second;
    }
};

}  // namespace

TEST_CASE("what is to run and does counts as running, what does not as expected only") {
    Desk desk;
    desk.look(true);
    desk.world.run_for(10s);
    desk.look(false);  // it has just ended
    desk.world.run_for(5s);
    desk.look(true);  // and runs again
    CHECK(desk.of("filter").expected == 15s);
    CHECK(desk.of("filter").running == 10s);
    CHECK(desk.of("edgeAgent").running == 15s);
    CHECK_FALSE(desk.availability.all().contains("idle"));
    desk.availability.saw({{"edgeAgent", true, true}});
    CHECK_FALSE(desk.availability.all().contains("filter"));
}

TEST_CASE("time that a module was not meant to run is not counted") {
    Desk desk;
    desk.look(true);
    desk.world.run_for(10s);
    desk.availability.saw({{"edgeAgent", true, true}, {"filter", false, false}});
    desk.world.run_for(10s);
    desk.look(true);
    desk.world.run_for(10s);
    desk.look(true);
    CHECK(desk.of("filter").expected == 10s);
}

TEST_CASE("an agent that was killed counts as down from its last checkpoint; one that stopped in order does not") {
    Desk desk;
    desk.look(true);
    CHECK(desk.world.files->exists(desk.folder / "avaliability.checkpoint"));
    desk.world.jump_wall(1h);
    Availability after_kill(*desk.world.files, desk.world.clock(), desk.folder);
    after_kill.saw({{"edgeAgent", true, true}});
    CHECK(after_kill.all().at("edgeAgent").expected >= 1h);
    CHECK(after_kill.all().at("edgeAgent").expected < 1h + 1min);
    CHECK(after_kill.all().at("edgeAgent").running == 0s);
    after_kill.ended();
    CHECK_FALSE(desk.world.files->exists(desk.folder / "avaliability.checkpoint"));
    Availability after_stop(*desk.world.files, desk.world.clock(), desk.folder);
    after_stop.saw({{"edgeAgent", true, true}});
    CHECK(after_stop.all().at("edgeAgent").expected == 0s);
}

TEST_CASE("a checkpoint that makes no sense, or lies in the future, is ignored") {
    for (const auto* text : {"", "x", "99999999999999999999999", "-5", "638000000000000000 ", "700000000000000000"}) {
        Desk desk;
        REQUIRE(desk.world.files->make_folders(desk.folder, 0700));
        REQUIRE(storage::replace_file(*desk.world.files, desk.folder / "avaliability.checkpoint", text));
        desk.look(true);
        CAPTURE(text);
        CHECK(desk.of("edgeAgent").expected <= 24h * 365 * 100);
    }
    CHECK(from_utc_ticks(utc_ticks(WallTime(1234567h))) == WallTime(1234567h));
    CHECK(utc_ticks(WallTime{}) == 621'355'968'000'000'000);
    CHECK_FALSE(from_utc_ticks(0));
}
