// What is given up when there is no room, and what never is.
#include "hub/queue/life_test.hpp"

#include <algorithm>

using namespace skerry;
using namespace skerry::hub;
using namespace std::chrono_literals;

namespace {
using Bodies = std::vector<std::string>;
constexpr std::string_view input = "dev/mod/in";
constexpr std::uint64_t budget = 64 * 1024;

QueueLimits dropping() {
    QueueLimits limits;
    limits.bytes_on_disk = budget;
    limits.when_full = FullPolicy::drop_oldest;
    return limits;
}

std::vector<QueueTarget> to(std::uint32_t priority, std::string_view endpoint = input) {
    return {{std::string(endpoint), priority, {}}};
}

std::string numbered(int n) { return std::to_string(n) + std::string(1000, '.'); }

std::vector<int> numbers_of(const Bodies& bodies) {
    std::vector<int> all;
    for (const auto& body : bodies) all.push_back(std::stoi(body));
    return all;
}

QueueStatus status_of(Life& life, std::uint32_t priority) {
    for (const auto& queue : life.store->status())
        if (queue.priority == priority) return queue;
    return {};
}

std::uint64_t bytes_of(sim::Disk& disk) {
    std::uint64_t sum = 0;
    for (const auto& name : disk.list("/queues").value()) sum += disk.contents("/queues/" + name).size();
    return sum;
}
}  // namespace

TEST_CASE("with drop-oldest every message is taken, the oldest make room, and the budget holds on the disk") {
    sim::Disk disk(1);
    Life life(disk, dropping());
    REQUIRE(life.open());
    for (int n = 0; n < 500; ++n) {
        REQUIRE(life.publish(numbered(n), to(5)));
        CHECK(bytes_of(disk) <= budget);
    }
    const auto status = status_of(life, 5);
    CHECK(status.dropped == 500 - status.length);
    CHECK(status.length > 30);
    SUBCASE("by the same process") {
        const auto got = numbers_of(life.drain(input));
        CHECK(got.size() == status.length);
        CHECK(std::ranges::is_sorted(got));
        CHECK(got.front() == static_cast<int>(status.dropped));
        CHECK(got.back() == 499);
        life.close();
    }
    SUBCASE("after a power cut") {
        life.world.run_for(200ms);
        life.store.reset();
        disk.restore_power();
        Life next(disk, dropping());
        REQUIRE(next.open());
        const auto got = numbers_of(next.drain(input));
        CHECK(got.size() == status.length);
        CHECK(got.back() == 499);
        next.close();
    }
}

TEST_CASE("the lowest priority goes first, and nothing goes for a message that is less important") {
    sim::Disk disk(1);
    Life life(disk, dropping());
    REQUIRE(life.open());
    for (int n = 0; n < 20; ++n) REQUIRE(life.publish(numbered(n), to(1)));
    for (int n = 0; n < 200; ++n) REQUIRE(life.publish(numbered(n), to(7)));
    CHECK(status_of(life, 1).length == 20);
    CHECK(status_of(life, 7).dropped > 100);
    // The important ones displace the others, and then each other.
    int taken = 0;
    while (status_of(life, 7).length > 14 && taken < 100) {  // what the last segments hold stays
        REQUIRE(life.publish(numbered(20 + taken++), to(1)));
        life.world.run_for(10ms);
    }
    CHECK(status_of(life, 1).dropped == 0);
    for (; status_of(life, 1).dropped == 0 && taken < 200; ++taken) REQUIRE(life.publish(numbered(20 + taken), to(1)));
    REQUIRE(taken < 200);
    CHECK(life.publish(std::string(8000, 'x'), to(7)).error().code == Errc::full);
    life.close();
}

TEST_CASE("what is in flight is not dropped, and what another queue wants stays for it") {
    sim::Disk disk(1);
    Life life(disk, dropping());
    REQUIRE(life.open());
    for (int n = 0; n < 3; ++n) REQUIRE(life.publish(numbered(n), to(5)));
    const auto flying = life.take(input, 3);
    REQUIRE(flying.size() == 3);
    for (int n = 3; n < 200; ++n) REQUIRE(life.publish(numbered(n), to(5)));
    auto& queue = life.store->endpoint(input);
    queue.acknowledge(flying[1]);
    queue.return_all();
    const auto got = numbers_of(life.drain(input));
    CHECK(got[0] == 0);
    CHECK(got[1] == 2);
    CHECK(got[2] > 3);
    CHECK(got.size() == 200 - 1 - status_of(life, 5).dropped);
    life.close();
}

TEST_CASE("with refuse nothing is dropped, and the segment that is kept for acknowledgements lets space come back") {
    sim::Disk disk(1);
    auto limits = dropping();
    limits.when_full = FullPolicy::refuse;
    limits.cached = 0;
    Life life(disk, limits);
    REQUIRE(life.open());
    int stored = 0;
    while (life.publish(numbered(stored), to(5))) ++stored;
    CHECK(life.publish(numbered(0), to(0)).error().code == Errc::full);
    CHECK(status_of(life, 5).dropped == 0);
    const auto half = life.take(input, static_cast<std::size_t>(stored / 2));
    for (const auto& delivery : half) {
        life.store->endpoint(input).acknowledge(delivery);
        life.world.run_for(100ms);  // a cursor each time
        CHECK(bytes_of(disk) <= budget);
    }
    REQUIRE(life.publish("more", to(5)));
    life.close();
}

TEST_CASE("a new limit holds at once") {
    sim::Disk disk(1);
    auto limits = dropping();
    limits.when_full = FullPolicy::refuse;
    Life life(disk, limits);
    REQUIRE(life.open());
    while (life.publish(std::string(1000, 'x'), to(5))) continue;
    life.store->set_size_limit(2 * budget);
    REQUIRE(life.publish(std::string(1000, 'x'), to(5)));
    while (life.publish(std::string(1000, 'x'), to(5))) continue;
    CHECK(life.store->bytes_on_disk() > budget);
    CHECK(life.store->bytes_on_disk() <= 2 * budget);
    life.close();
}

TEST_CASE("what is older than the greatest age is dropped, whatever its time to live, and counted apart") {
    sim::Disk disk(1);
    QueueLimits limits;
    limits.greatest_age = 60s;
    {
        Life life(disk, limits);
        REQUIRE(life.open());
        REQUIRE(life.publish("for ever", to(5)));
        REQUIRE(life.publish("long", {{std::string(input), 5, 1h}}));
        REQUIRE(life.publish("short", {{std::string(input), 5, 10s}}));
        life.world.run_for(61s);
        REQUIRE(life.publish("young", to(5)));
        const auto status = status_of(life, 5);
        CHECK(status.aged == 2);
        CHECK(status.expired == 1);
        CHECK(status.length == 1);
        REQUIRE(life.publish("old", to(5)));
        life.close();
    }
    disk.put("/proc/sys/kernel/random/boot_id", "00000000-0000-0000-0000-000000000002\n");
    Life life(disk, limits);
    life.world.clock().jump_wall(5min);
    REQUIRE(life.open());
    CHECK(life.drain(input).empty());
    CHECK(status_of(life, 5).aged == 2);
    life.close();
}

TEST_CASE("a disk that is full has room again for the newest with drop-oldest, and nobody is refused") {
    sim::Disk disk(1, 40 * 1024);
    auto limits = dropping();
    limits.bytes_on_disk = 1 << 20;  // more than there is
    limits.segment_bytes = 4096;
    Life life(disk, limits);
    REQUIRE(life.open());
    for (int n = 0; n < 300; ++n) {
        const auto stored = life.publish(numbered(n), to(5));
        REQUIRE_MESSAGE(stored, n, ": ", stored.error().text);
    }
    const auto got = numbers_of(life.drain(input));
    CHECK(got.size() > 15);
    CHECK(got.back() == 299);
    CHECK(std::ranges::is_sorted(got));
    CHECK(got.size() + status_of(life, 5).dropped == 300);
    life.close();
}
