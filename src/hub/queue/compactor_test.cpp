#include "hub/queue/inspection.hpp"
#include "hub/queue/life_test.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace skerry;
using namespace skerry::hub;
using namespace std::chrono_literals;

namespace {
using Bodies = std::vector<std::string>;
constexpr std::uint64_t segment = 16 * 1024;

QueueLimits limits(std::size_t cached = 0) {
    QueueLimits chosen;
    chosen.segment_bytes = segment;
    chosen.cached = cached;
    return chosen;
}

std::string numbered(int n) { return std::to_string(n) + std::string(200, '.'); }

QueueTarget to(std::string endpoint, std::uint32_t priority = default_priority,
               std::optional<std::chrono::seconds> time_to_live = std::nullopt) {
    return {std::move(endpoint), priority, time_to_live};
}

void open(Life& life) {
    const auto opened = life.open();
    REQUIRE_MESSAGE(opened, opened.error().text);
}

// `count` messages for a consumer that takes them at once; every `share`-th one is for each of those away, too.
Bodies busy_day(Life& life, int count, int share, const std::vector<QueueTarget>& away) {
    Bodies kept;
    for (int n = 0; n < count; ++n) {
        std::vector<QueueTarget> targets{to("present")};
        if (n % share == 0) {
            kept.push_back(numbered(n));
            targets.insert(targets.end(), away.begin(), away.end());
        }
        REQUIRE(life.publish(numbered(n), std::move(targets)));
        if (n % 20 == 19) CHECK(life.drain("present").size() == 20);
        if (n % 100 == 99) life.world.run_for(200ms);
    }
    life.drain("present");
    life.world.run_for(1s);
    return kept;
}

std::uint64_t bytes_of(const Bodies& bodies) { return bodies.size() * 320; }
}  // namespace

TEST_CASE("an absent consumer keeps what is its own, in order, and not the space of others") {
    sim::Disk disk(1);
    Bodies kept;
    {
        Life life(disk, limits());
        open(life);
        kept = busy_day(life, 4000, 20, {to("away")});
        CHECK(life.store->endpoint("away").length() == 200);
        CHECK(life.store->bytes_on_disk() < 2 * bytes_of(kept) + 6 * segment);
        CHECK(life.store->bytes_on_disk() < 4000 * 200 / 4);
        life.close();
    }
    for (const bool again : {false, true}) {
        Life life(disk, limits());
        open(life);
        CHECK(life.store->endpoint("away").length() == 200);
        if (!again) {
            CHECK(life.take("away", 7).size() == 7);
            life.close();
            continue;
        }
        const auto more = busy_day(life, 2000, 20, {to("away")});
        kept.insert(kept.end(), more.begin(), more.end());
        CHECK(life.drain("away") == kept);
        life.world.run_for(1s);
        CHECK(life.store->bytes_on_disk() <= 2 * segment);
        life.close();
    }
}

TEST_CASE("nothing is read or copied while a segment is mostly the absent consumer's, alone or with others") {
    sim::Disk disk(1);
    Life life(disk, limits(4 * 1024 * 1024));
    open(life);
    const auto before = disk.bytes_written();
    const auto read_before = disk.bytes_read();
    // Every message goes to both: one of them is enough to want all of it.
    const auto kept = busy_day(life, 1000, 1, {to("away")});
    CHECK(disk.bytes_written() - before < bytes_of(kept) * 3 / 2);
    CHECK(disk.bytes_read() == read_before);
    CHECK(life.drain("away") == kept);
    life.close();
}

TEST_CASE("two absent consumers share what both want, and each comes back to its own") {
    sim::Disk disk(1);
    {
        Life life(disk, limits());
        open(life);
        const auto both = busy_day(life, 1500, 10, {to("away"), to("gone")});
        const auto one = busy_day(life, 1500, 10, {to("gone")});
        auto all = both;
        all.insert(all.end(), one.begin(), one.end());
        CHECK(life.store->bytes_on_disk() < 2 * bytes_of(all) + 6 * segment);
        CHECK(life.drain("away") == both);
        CHECK(life.store->endpoint("gone").length() == all.size());
        life.close();
        Life next(disk, limits());
        open(next);
        CHECK(next.store->endpoint("away").length() == 0);
        CHECK(next.drain("gone") == all);
        next.close();
    }
}

TEST_CASE("priorities and times to live hold for what was compacted") {
    sim::Disk disk(1);
    disk.put("/proc/sys/kernel/random/boot_id", "00000000-0000-0000-0000-000000000001\n");
    Bodies high;
    Bodies low;
    {
        Life life(disk, limits());
        open(life);
        low = busy_day(life, 1000, 20, {to("away", 9)});
        (void)busy_day(life, 1000, 20, {to("away", 5, 600s)});
        high = busy_day(life, 1000, 20, {to("away", 1)});
        CHECK(life.store->bytes_on_disk() < 12 * segment);
        life.close();
    }
    disk.put("/proc/sys/kernel/random/boot_id", "00000000-0000-0000-0000-000000000002\n");
    Life life(disk, limits());
    life.world.clock().jump_wall(700s);
    open(life);
    auto expected = high;
    expected.insert(expected.end(), low.begin(), low.end());
    CHECK(life.drain("away") == expected);
    life.close();
}

TEST_CASE("a consumer that comes back while its backlog is compacted gets all of it, once") {
    sim::Disk disk(1);
    Life life(disk, limits());
    open(life);
    Bodies expected;
    Bodies got;
    for (int round = 0; round < 12; ++round) {
        const auto kept = busy_day(life, 300, 15, {to("away")});
        expected.insert(expected.end(), kept.begin(), kept.end());
        const auto taken = life.take("away", 11);
        for (std::size_t n = 0; n < taken.size(); ++n) {
            got.push_back(taken[n].message->body);
            life.store->endpoint("away").acknowledge(taken[n]);
        }
    }
    const auto rest = life.drain("away");
    got.insert(got.end(), rest.begin(), rest.end());
    CHECK(got == expected);
    life.close();
}

TEST_CASE("a dropped endpoint's share of compacted segments is given back") {
    sim::Disk disk(1);
    Life life(disk, limits());
    open(life);
    const auto kept = busy_day(life, 3000, 40, {to("away")});
    (void)busy_day(life, 3000, 3, {to("gone")});
    const auto before = life.store->bytes_on_disk();
    REQUIRE(life.world.run(life.store->drop("gone")));
    life.world.run_for(40s);
    CHECK(life.store->bytes_on_disk() < before / 4);
    CHECK(life.drain("away") == kept);
    life.close();
}

TEST_CASE("a budget is not used up by an absent consumer's few messages") {
    sim::Disk disk(1);
    auto small = limits();
    small.bytes_on_disk = 20 * segment;
    Life life(disk, small);
    open(life);
    const auto kept = busy_day(life, 10'000, 50, {to("away")});
    CHECK(kept.size() == 200);
    CHECK(life.store->bytes_on_disk() <= small.bytes_on_disk);
    CHECK(life.drain("away") == kept);
    life.close();
}

TEST_CASE("damage in a compact segment costs only what it hit, and an inspection tells of it") {
    sim::Disk disk(1);
    Bodies kept;
    {
        Life life(disk, limits());
        open(life);
        kept = busy_day(life, 2000, 20, {to("away")});
        life.close();
    }
    auto inspection = inspect_queues(disk, "/queues");
    REQUIRE(inspection);
    CHECK(verify_log(*inspection).sound);
    const auto compact =
        std::ranges::find_if(inspection->log.segments, [](const auto& each) { return each.check.compact; });
    REQUIRE(compact != inspection->log.segments.end());
    CHECK(std::ranges::find(inspection->queues, "away", &InspectedQueue::endpoint)->messages == kept.size());
    const auto path = "/queues/" + compact->name;
    auto bytes = disk.contents(path);
    bytes.replace(bytes.size() / 2, 6, "damage");
    disk.put(path, std::move(bytes));
    inspection = inspect_queues(disk, "/queues");
    REQUIRE(inspection);
    CHECK_FALSE(verify_log(*inspection).sound);
    Life life(disk, limits());
    open(life);
    const auto got = life.drain("away");
    CHECK(got.size() == kept.size() - 1);
    CHECK(std::ranges::includes(kept, got, [](const auto& a, const auto& b) { return std::stoi(a) < std::stoi(b); }));
    CHECK(life.store->endpoint("away").length() == 0);
    life.close();
}
