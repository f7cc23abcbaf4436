#include "sim/disk.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

using namespace skerry;
using namespace skerry::sim;
using Mode = storage::Files::Mode;

namespace {
// A file with "durable" synced and "gone" not, and a name that was never synced; then the power is cut.
std::string after_a_cut(std::uint64_t seed) {
    Disk disk(seed);
    REQUIRE(disk.make_folders("/d", 0700));
    auto file = disk.open("/d/a", Mode::create, 0600).value();
    REQUIRE(file->write_at(0, "durable"));
    REQUIRE(file->sync_data());
    REQUIRE(disk.sync_folder("/d"));
    REQUIRE(file->write_at(7, "gone"));
    REQUIRE(disk.open("/d/b", Mode::create, 0600));
    disk.restore_power();
    CHECK_FALSE(file->write_at(0, "x"));
    CHECK(disk.contents("/d/a").starts_with("durable"));
    return disk.contents("/d/a") + (disk.exists("/d/b") ? "+b" : "");
}
}  // namespace

TEST_CASE("what was synced survives a power cut, and the seed decides about the rest") {
    std::set<std::string> outcomes;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        const auto outcome = after_a_cut(seed);
        CHECK(outcome == after_a_cut(seed));
        outcomes.insert(outcome);
    }
    for (const auto* seen : {"durable", "durablegone", "durablego", "durable+b", "durablegone+b"})
        CHECK(outcomes.contains(seen));
}

TEST_CASE("the power goes off at the operation that was asked for") {
    Disk disk(1);
    REQUIRE(disk.make_folders("/d", 0700));
    disk.cut_power_at(2);
    auto file = disk.open("/d/a", Mode::create, 0600).value();
    CHECK(file->write_at(0, "x").error().code == Errc::io);
    CHECK(disk.is_off());
    CHECK_FALSE(disk.sync_folder("/d"));
    CHECK_FALSE(disk.list("/d"));
    disk.restore_power();
    CHECK(disk.list("/d"));
}

namespace {
std::string after_a_failed_sync(std::uint64_t seed) {
    Disk disk(seed);
    disk.put("/d/a", "old");
    auto file = disk.open("/d/a", Mode::read_write, 0600).value();
    disk.fail_at(disk.operations() + 2, Errc::io);
    REQUIRE(file->write_at(0, "new"));
    CHECK(file->sync_data().error().code == Errc::io);
    CHECK(file->sync_data());
    CHECK(disk.contents("/d/a") == "new");
    disk.restore_power();
    return disk.contents("/d/a");
}
}  // namespace

TEST_CASE("a failed sync loses what it should have kept, or a part, and a later one doesn't bring it back") {
    std::set<std::string> outcomes;
    for (std::uint64_t seed = 0; seed < 100; ++seed) outcomes.insert(after_a_failed_sync(seed));
    CHECK(outcomes == std::set<std::string>{"old", "nld", "ned", "new"});
}

TEST_CASE("a full disk refuses to grow, and nothing else") {
    Disk disk(1, 100);
    disk.put("/d/a", "old");
    auto file = disk.open("/d/a", Mode::read_write, 0600).value();
    CHECK(file->allocate(101).error().code == Errc::full);
    CHECK(file->write_at(99, "xy").error().code == Errc::full);
    REQUIRE(file->allocate(100));
    CHECK(disk.space("/d")->available == 0);
    CHECK(file->write_at(98, "xy"));
}
