#include "hub/queue/age.hpp"

#include "sim/disk.hpp"

#include <doctest/doctest.h>

using namespace skerry;
using namespace skerry::hub;
using namespace std::chrono_literals;

namespace {
struct SetClock final : Clock {
    SetClock(Duration wall, Duration steady) : wall_time(wall), steady_time(steady) {}
    WallTime wall() const override { return WallTime(std::chrono::duration_cast<WallTime::duration>(wall_time)); }
    SteadyTime steady() const override { return SteadyTime(steady_time); }
    Task<> sleep_until(SteadyTime) override { co_return; }
    Duration wall_time;
    Duration steady_time;
};

constexpr BootId this_boot{1};
constexpr BootId other_boot{2};
constexpr auto never = SteadyTime::max();

EnqueuedAt at(Duration wall, Duration monotonic) { return {wall.count(), monotonic.count()}; }
SteadyTime steady(Duration since_boot) { return SteadyTime(since_boot); }
}  // namespace

TEST_CASE("on the boot that stored it, a message's age is monotonic, whatever the wall clock does") {
    SetClock clock(1000h, 10h);
    Ages ages(this_boot, clock);
    ages.segment_begins(64, this_boot);
    CHECK(ages.deadline(64, at(5000h, 9h), 2h) == steady(11h));
    CHECK(ages.deadline(64, at(1h, 9h), 2h) == steady(11h));
    CHECK(ages.deadline(64, at(1h, 9h), 0s) == steady(9h));
    CHECK(ages.deadline(64, at(1h, 9h), std::nullopt) == never);
    CHECK(ages.deadline(64, at(1h, 9h), std::chrono::seconds::max()) == never);
}

TEST_CASE("after a reboot the wall clock says how old a message is, once") {
    SetClock clock(1000h, 1h);
    Ages ages(this_boot, clock);
    ages.segment_begins(64, other_boot);
    clock.wall_time = 9000h;  // too late to matter
    CHECK(ages.deadline(64, at(997h, 50h), 5h) == steady(1h - 3h + 5h));
}

TEST_CASE("a wall clock that starts in 1970 makes no message younger than its own boot knew") {
    SetClock clock(1h, 1h);
    Ages ages(this_boot, clock);
    ages.segment_begins(64, other_boot);
    ages.segment_begins(128, other_boot);
    ages.seen(128, Duration(60h).count());
    CHECK(ages.deadline(64, at(997h, 50h), 15h) == steady(1h - 10h + 15h));
}

TEST_CASE("an unknown boot is never this one") {
    SetClock clock(1000h, 1h);
    Ages ages(BootId{}, clock);
    ages.segment_begins(64, BootId{});
    CHECK(ages.deadline(64, at(999h, 50h), 5h) == steady(1h - 1h + 5h));
    CHECK(ages.deadline(4096, at(999h, 50h), 5h) == steady(1h - 1h + 5h));
}

TEST_CASE("the boot id is the kernel's") {
    sim::Disk disk(1);
    CHECK(read_boot_id(disk) == BootId{});
    disk.put("/proc/sys/kernel/random/boot_id", "01020304-0506-0708-090a-0b0c0d0e0f10\n");
    CHECK(read_boot_id(disk) == BootId{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
}

TEST_CASE("a message of a run that doesn't know its boot ages by the monotonic clock all the same, until the next") {
    SetClock clock(1000h, 10h);
    Ages ages({}, clock);
    ages.segment_begins(64, {});
    ages.segment_begins_now(128);
    CHECK(ages.deadline(128, at(1002h, 12h), 1h) == steady(13h));
    CHECK(ages.deadline(64, at(999h, 3h), 2h) == steady(11h));
    CHECK_FALSE(ages.same_boot(64, 128));
    ages.segment_begins_now(192);
    CHECK(ages.same_boot(128, 192));
}
