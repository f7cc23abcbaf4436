// When publishers are told that a message is safe, and whether it is.
#include "hub/queue/life_test.hpp"

#include <algorithm>
#include <map>

using namespace skerry;
using namespace skerry::hub;
using namespace std::chrono_literals;

namespace {
using Bodies = std::vector<std::string>;
using enum Durability;
constexpr std::string_view input = "dev/mod/in";

// A publisher that counts what it is told of each message.
struct Publisher final : StoreWaiter, std::enable_shared_from_this<Publisher> {
    void stored(std::uint64_t ticket, const Result<>& outcome) override {
        ++answers[ticket];
        outcomes[ticket] = outcome;
    }
    // The message's body is its ticket.
    Result<> publish(QueueStore& store, std::uint64_t ticket, std::vector<QueueTarget> targets) {
        return store.submit(text_message(std::to_string(ticket)), targets, shared_from_this(), ticket);
    }
    [[nodiscard]] bool is_safe(std::uint64_t ticket) const {
        return answers.contains(ticket) && outcomes.at(ticket).has_value();
    }
    std::map<std::uint64_t, int> answers;
    std::map<std::uint64_t, Result<>> outcomes;
};

std::vector<QueueTarget> to(Durability durability, std::string_view endpoint = input) {
    return {{std::string(endpoint), default_priority, {}, durability}};
}

bool is_clean(sim::Disk& disk) {
    const auto names = disk.list("/queues").value();
    return std::ranges::none_of(names, [](const auto& name) { return name.contains(".bad"); });
}

// A store whose disk does nothing until it is told to.
struct Held {
    explicit Held(sim::Disk& disk, QueueLimits limits = {}) : life(disk, limits) {
        auto held = std::make_unique<HeldWorker>(life.world.executor());
        worker = held.get();
        worker->go.set();
        life.worker = std::move(held);
        REQUIRE(life.open());
        REQUIRE(life.publish("first", to(disk_class())));
        life.drain(input);
        life.world.run_for(2s);
        worker->go.reset();
    }
    static Durability disk_class() { return Durability::disk; }
    Life life;
    HeldWorker* worker{nullptr};
    std::shared_ptr<Publisher> publisher = std::make_shared<Publisher>();
};
}  // namespace

TEST_CASE("a publisher is told at once of `memory`, after the write of `os`, after the sync of `disk`") {
    sim::Disk on(1);
    Life life(on);
    REQUIRE(life.open());
    REQUIRE(life.publish("first", to(disk)));
    const auto publisher = std::make_shared<Publisher>();
    const auto before = on.operations();
    REQUIRE(publisher->publish(*life.store, 1, to(memory)));
    CHECK(publisher->is_safe(1));
    life.world.settle();
    CHECK(on.operations() == before);
    REQUIRE(publisher->publish(*life.store, 2, to(os)));
    CHECK_FALSE(publisher->is_safe(2));
    life.world.settle();
    CHECK(publisher->is_safe(2));
    CHECK(on.operations() - before == 1);
    on.fail_at(on.operations() + 2, Errc::io);  // the sync
    REQUIRE(publisher->publish(*life.store, 3, to(disk)));
    life.world.settle();
    CHECK(publisher->answers[3] == 1);
    CHECK_FALSE(publisher->is_safe(3));
    life.close();
}

TEST_CASE("the strongest of a message's routes decides") {
    sim::Disk on(1);
    Held held(on);
    auto both = to(memory);
    both.push_back({"iothub", default_priority, {}, disk});
    REQUIRE(held.publisher->publish(*held.life.store, 1, both));
    held.life.world.settle();
    CHECK_FALSE(held.publisher->is_safe(1));
    held.worker->go.set();
    held.life.world.settle();
    CHECK(held.publisher->is_safe(1));
    held.life.close();
}

TEST_CASE("what all consumers have acknowledged is safe, and its publisher is told without the disk, once") {
    sim::Disk on(1);
    Held held(on);
    auto& store = *held.life.store;
    auto both = to(disk);
    both.push_back({"iothub", default_priority, {}, disk});
    REQUIRE(held.publisher->publish(store, 1, both));
    REQUIRE(held.publisher->publish(store, 2, to(disk)));
    const auto taken = held.life.take(input);
    REQUIRE(taken.size() == 2);
    store.endpoint(input).acknowledge(taken[1]);
    CHECK(held.publisher->is_safe(2));
    store.endpoint(input).acknowledge(taken[0]);
    store.endpoint(input).acknowledge(taken[0]);
    CHECK_FALSE(held.publisher->is_safe(1));  // one of its consumers has not
    const auto upstream = held.life.take("iothub");
    store.endpoint("iothub").acknowledge(upstream.at(0));
    CHECK(held.publisher->is_safe(1));
    held.worker->go.set();
    held.life.world.run_for(3s);
    CHECK(held.publisher->answers == std::map<std::uint64_t, int>{{1, 1}, {2, 1}});
    held.life.close();
}

TEST_CASE("`os` survives the process at once, and a power cut a second later") {
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
        sim::Disk on(seed);
        QueueLimits limits;
        limits.of_acknowledgements = os;
        const auto publisher = std::make_shared<Publisher>();
        const auto publish = [&](Life& life, std::uint64_t from, std::uint64_t count) {
            for (auto n = from; n < from + count; ++n) {
                REQUIRE(publisher->publish(*life.store, n, to(os)));
                life.world.settle();
                CHECK(publisher->is_safe(n));
            }
        };
        {
            Life life(on, limits);
            REQUIRE(life.open());
            publish(life, 0, 10);
            life.world.run_for(1100ms);
            publish(life, 10, 10);
            SUBCASE("killed") {}
            SUBCASE("the power is cut") {
                life.store.reset();
                on.restore_power();
            }
        }
        Life life(on, limits);
        REQUIRE(life.open());
        CHECK(is_clean(on));
        const auto got = life.drain(input);
        CHECK_MESSAGE(got.size() >= 10, "seed ", seed);
        for (std::size_t n = 0; n < got.size(); ++n) CHECK(got[n] == std::to_string(n));
        life.close();
    }
}

TEST_CASE("an acknowledgement of a hub whose class is `os` costs no sync of its own, and lasts a second later") {
    sim::Disk on(3);
    QueueLimits limits;
    limits.of_acknowledgements = os;
    {
        Life life(on, limits);
        REQUIRE(life.open());
        REQUIRE(life.publish("a", to(disk)));
        const auto before = on.operations();
        CHECK(life.drain(input) == Bodies{"a"});
        life.world.run_for(200ms);
        CHECK(on.operations() - before == 1);
        life.world.run_for(1s);
        life.store.reset();
        on.restore_power();
    }
    Life life(on, limits);
    REQUIRE(life.open());
    CHECK(life.drain(input).empty());
    life.close();
}

TEST_CASE("what was promised before the disk refused is kept, goes first when it takes again, and comes once") {
    sim::Disk on(1);
    Life life(on);
    REQUIRE(life.open());
    REQUIRE(life.publish("0", to(disk)));
    auto& queue = life.store->endpoint(input);
    const auto publisher = std::make_shared<Publisher>();
    REQUIRE(publisher->publish(*life.store, 1, to(memory)));
    REQUIRE(publisher->publish(*life.store, 2, to(os)));
    life.world.settle();
    CHECK(publisher->is_safe(2));
    on.fail_at(on.operations() + 2, Errc::io);  // the sync
    REQUIRE(publisher->publish(*life.store, 3, to(disk)));
    life.world.settle();
    CHECK(publisher->answers[3] == 1);
    CHECK_FALSE(publisher->is_safe(3));
    SUBCASE("by themselves") { life.world.run_for(3s); }
    SUBCASE("with the next message") {}
    REQUIRE(life.publish("4", to(disk)));
    CHECK(queue.length() == 4);
    life.store.reset();
    on.restore_power();
    Life next(on);
    REQUIRE(next.open());
    CHECK(is_clean(on));
    auto got = next.drain(input);
    // The file of the failed sync may give them back as well: at least once.
    std::ranges::sort(got);
    got.erase(std::ranges::unique(got).begin(), got.end());
    std::erase(got, "3");  // nobody was promised anything
    CHECK(got == Bodies{"0", "1", "2", "4"});
    next.close();
}

TEST_CASE(
    "a disk that can't be written for a while costs nothing that was acknowledged, and service goes on by itself") {
    for (const auto why : {Errc::io, Errc::full, Errc::unauthorized}) {
        sim::Disk on(7);
        std::vector<std::string> stored;
        {
            Life life(on);
            REQUIRE(life.open());
            for (int n = 0; n < 10; ++n) stored.push_back(std::to_string(n));
            for (const auto& body : stored) REQUIRE(life.publish(body, to(disk)));
            for (std::uint64_t n = 1; n <= 60; ++n) on.fail_at(on.operations() + n, why);
            // Deliveries and their acknowledgements go on meanwhile.
            const auto taken = life.take(input, 3);
            for (const auto& delivery : taken) life.store->endpoint(input).acknowledge(delivery);
            int refused = 0;
            for (int n = 100; n < 200; ++n) {
                const auto outcome = life.publish(std::to_string(n), to(disk));
                life.world.run_for(500ms);
                if (outcome)
                    stored.push_back(std::to_string(n));
                else
                    CHECK(outcome.error().code == why);
                refused += outcome ? 0 : 1;
            }
            CHECK(refused > 3);
            CHECK(refused < 90);
            life.world.run_for(2s);
            life.store.reset();
            on.restore_power();
        }
        Life life(on);
        REQUIRE(life.open());
        CHECK(is_clean(on));
        CHECK(life.drain(input) == Bodies(stored.begin() + 3, stored.end()));
        life.close();
    }
}

TEST_CASE("after a failure `os` means `disk`, until the disk has kept something") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        sim::Disk on(seed);
        const auto publisher = std::make_shared<Publisher>();
        {
            Life life(on);
            REQUIRE(life.open());
            REQUIRE(life.publish("first", to(disk)));
            REQUIRE(publisher->publish(*life.store, 1, to(os)));
            life.world.settle();
            on.fail_at(on.operations() + 1, Errc::io);
            life.world.run_for(1001ms);  // the sync of what was promised
            REQUIRE(publisher->publish(*life.store, 2, to(os)));
            life.world.settle();
            REQUIRE(publisher->is_safe(2));
            life.store.reset();
            on.restore_power();
        }
        Life life(on);
        REQUIRE(life.open());
        auto got = life.drain(input);
        std::ranges::sort(got);
        got.erase(std::ranges::unique(got).begin(), got.end());
        CHECK(got == Bodies{"1", "2", "first"});
        life.close();
    }
}

TEST_CASE("while the disk refuses, nothing is promised") {
    sim::Disk on(1, 24 * 1024);
    QueueLimits limits;
    limits.segment_bytes = 8 * 1024;
    limits.bytes_on_disk = 1 << 20;
    Life life(on, limits);
    REQUIRE(life.open());
    const auto publisher = std::make_shared<Publisher>();
    std::uint64_t n = 0;
    while (n < 10'000 && (n == 0 || publisher->is_safe(n - 1))) {
        auto message = text_message(std::to_string(n) + std::string(1000, '.'));
        REQUIRE(life.store->submit(message, to(memory), publisher, n++));
        life.world.run_for(2s);
    }
    REQUIRE(n > 15);
    REQUIRE(n < 40);
    REQUIRE(publisher->answers[n - 1] == 1);
    for (int more = 0; more < 5; ++more) {
        REQUIRE(publisher->publish(*life.store, n, to(memory)));
        CHECK_FALSE(publisher->is_safe(n));
        life.world.run_for(2s);
        CHECK_FALSE(publisher->is_safe(n++));
    }
    on.set_capacity(1 << 20);
    REQUIRE(publisher->publish(*life.store, n, to(memory)));
    life.world.run_for(2s);
    CHECK(publisher->is_safe(n));
    const auto got = life.drain(input);
    std::uint64_t promised = 0;
    for (const auto& [ticket, outcome] : publisher->outcomes) promised += outcome.has_value() ? 1 : 0;
    CHECK(got.size() == promised);
    life.close();
}

TEST_CASE(
    "a consumer whose window is full of what is not stored yet waits until it acknowledges, or the disk is done") {
    sim::Disk on(1);
    QueueLimits limits;
    limits.cached = 0;
    Held held(on, limits);
    for (int n = 0; n < 2; ++n)
        REQUIRE(held.life.store->submit(text_message(std::to_string(n) + std::string(60'000, '.')),
                                        to(Durability::disk), held.publisher, static_cast<std::uint64_t>(n)));
    auto& queue = held.life.store->endpoint(input);
    const auto first = held.life.take(input);
    REQUIRE(first.size() == 1);
    CHECK(held.life.take(input).empty());
    bool woken = false;
    const auto wait = [](EndpointQueue& of, bool& done) -> Task<> {
        co_await of.wait();
        done = true;
    };
    TaskScope scope(held.life.world.executor());
    scope.spawn("consumer", wait(queue, woken));
    held.life.world.settle();
    CHECK_FALSE(woken);
    SUBCASE("acknowledged") { queue.acknowledge(first.front()); }
    SUBCASE("stored") { held.worker->go.set(); }
    held.life.world.settle();
    CHECK(woken);
    const auto second = held.life.take(input);
    REQUIRE(second.size() == 1);
    CHECK(second.front().message->body.starts_with("1."));
    held.worker->go.set();
    held.life.close();
}
