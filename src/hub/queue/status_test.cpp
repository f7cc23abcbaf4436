// What the store says about itself, for the metrics.
#include "hub/queue/life_test.hpp"

#include <cmath>

using namespace skerry;
using namespace skerry::hub;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view input = "dev/mod/in";

std::vector<QueueTarget> to(std::string_view endpoint, std::optional<std::chrono::seconds> time_to_live = {},
                            Durability durability = Durability::disk) {
    return {{std::string(endpoint), 1, time_to_live, durability}};
}

QueueStatus status_of(Life& life, std::string_view endpoint) {
    for (const auto& queue : life.store->status())
        if (queue.endpoint == endpoint) return queue;
    FAIL("no such queue");
    return {};
}

// Seconds, rounded; -1: unknown.
long oldest(Life& life) {
    const auto age = status_of(life, input).oldest;
    return age ? std::lround(std::chrono::duration<double>(*age).count()) : -1;
}

std::uint64_t count_of(const metrics::Histogram& histogram) {
    std::uint64_t sum = 0;
    for (std::size_t n = 0; n <= histogram.bounds().size(); ++n) sum += histogram.count(n);
    return sum;
}

}  // namespace

TEST_CASE("the oldest message's age counts from when it was stored, whatever was tried with it") {
    sim::Disk disk(1);
    disk.put("/proc/sys/kernel/random/boot_id", "00000000-0000-0000-0000-000000000001\n");
    {
        Life life(disk);
        REQUIRE(life.open());
        REQUIRE(life.publish("first", to(input)));
        life.world.run_for(10s);
        REQUIRE(life.publish("second", to(input)));
        life.world.run_for(5s);
        CHECK(oldest(life) == 15);
        const auto taken = life.take(input);
        CHECK(oldest(life) == 15);  // in flight is not delivered
        life.store->endpoint(input).return_all();
        CHECK(oldest(life) == 15);
        life.store->endpoint(input).acknowledge(taken[0]);
        CHECK(oldest(life) == 5);
        life.store->endpoint(input).acknowledge(taken[1]);
        CHECK(oldest(life) == -1);
        REQUIRE(life.publish("third", to(input)));
        life.close();
    }
    Life life(disk);
    life.world.clock().advance(115s);  // virtual time begins anew: 100 s after the third came
    REQUIRE(life.open());
    CHECK(oldest(life) == -1);  // nobody has read it
    CHECK(status_of(life, input).length == 1);
    life.world.run_for(31s);
    CHECK(oldest(life) == 131);
    life.close();
}

TEST_CASE("what a queue has given up stays counted when its last route goes and comes back") {
    sim::Disk disk(1);
    Life life(disk);
    REQUIRE(life.open());
    for (int n = 0; n < 3; ++n) REQUIRE(life.publish("short", to(input, 1s)));
    life.world.run_for(40s);
    CHECK(status_of(life, input).expired == 3);
    CHECK(status_of(life, input).in_use);
    REQUIRE(life.world.run(life.store->drop(input)));
    CHECK(status_of(life, input).expired == 3);
    CHECK_FALSE(status_of(life, input).in_use);
    REQUIRE(life.publish("again", to(input)));
    CHECK(status_of(life, input).expired == 3);
    CHECK(status_of(life, input).in_use);
    life.close();
}

TEST_CASE("each sync is counted with the records that it made durable, and each failure of the disk") {
    sim::Disk disk(1);
    Life life(disk);
    REQUIRE(life.open());
    const auto& figures = life.store->figures();
    CHECK(count_of(figures.group_records) == 0);
    REQUIRE(life.publish("one", to(input)));
    CHECK(count_of(figures.group_records) == 1);
    CHECK(figures.group_records.sum() == 3);  // the segment's snapshot, the endpoint's name, the message
    CHECK(count_of(figures.sync_seconds) == 1);
    CHECK(figures.synced_bytes > 0);
    // What asks for no sync is counted with the one that it shares.
    REQUIRE(life.publish("two", to(input, {}, Durability::memory)));
    REQUIRE(life.publish("three", to(input, {}, Durability::os)));
    CHECK(count_of(figures.group_records) == 1);
    REQUIRE(life.publish("four", to(input)));
    CHECK(count_of(figures.group_records) == 2);
    CHECK(figures.group_records.sum() == 6);
    CHECK(figures.failures == 0);
    disk.fail_at(disk.operations() + 1, Errc::io);
    CHECK_FALSE(life.publish("five", to(input)));
    CHECK(figures.failures == 1);
    CHECK(count_of(figures.sync_seconds) == 2);
    life.close();
}
