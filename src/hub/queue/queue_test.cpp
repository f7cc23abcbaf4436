#include "hub/queue/queue.hpp"

#include <doctest/doctest.h>

using namespace skerry;
using namespace skerry::hub;
using namespace std::chrono_literals;

namespace {
constexpr SteadyTime now{100s};
constexpr LogPosition segment = 0;

struct Fixture {
    Cache cache{4 * 1024 * 1024, 0};
    SegmentUse use;
    Queue queue{5, cache, use};

    void append(LogPosition at, std::size_t size = 10, SteadyTime deadline = SteadyTime::max()) {
        auto message = std::make_shared<model::Message>();
        message->body.resize(size);
        queue.append({at, segment, deadline, message, false, {}});
    }
    std::vector<LogPosition> take(std::size_t at_most = 100, SteadyTime when = now) {
        std::vector<Delivery> out;
        queue.take(when, at_most, out);
        std::vector<LogPosition> places;
        for (const auto& delivery : out) places.push_back(static_cast<LogPosition>(delivery.at));
        return places;
    }
};
using Places = std::vector<LogPosition>;
}  // namespace

TEST_CASE("a queue gives out each message once, in order, until it comes back") {
    Fixture f;
    for (const LogPosition at : {8, 16, 24, 32}) f.append(at);
    CHECK(f.take(2) == Places{8, 16});
    CHECK(f.take() == Places{24, 32});
    CHECK(f.take().empty());
    f.queue.give_back(24);
    f.queue.give_back(24);
    f.queue.give_back(8);
    CHECK(f.take() == Places{8, 24});
    f.queue.finish(16);
    f.queue.return_all();
    CHECK(f.take() == Places{8, 24, 32});
    CHECK(f.queue.length() == 3);
}

TEST_CASE("a message is done once, in any order, and its segment is free when all are") {
    Fixture f;
    for (const LogPosition at : {8, 16, 24}) f.append(at);
    f.take();
    f.queue.finish(24);
    f.queue.finish(24);
    f.queue.finish(999);
    f.queue.finish(8);
    CHECK(f.queue.length() == 1);
    CHECK(f.use.wanted(segment));
    f.queue.finish(16);
    CHECK(f.queue.length() == 0);
    CHECK_FALSE(f.use.wanted(segment));
    CHECK(f.use.take_freed());
    CHECK_FALSE(f.use.take_freed());
    CHECK(f.cache.used == 0);
}

TEST_CASE("the cursor names what is not done, however far one slow message falls behind") {
    Fixture f;
    for (LogPosition at = 8; at <= 8000; at += 8) f.append(at);
    CHECK(f.take(1000).size() == 1000);
    for (LogPosition at = 8; at <= 8000; at += 8)
        if (at != 16 && at != 4000) f.queue.finish(at);
    const auto cursor = f.queue.cursor(7);
    CHECK(cursor.endpoint == 7);
    CHECK(cursor.priority == 5);
    CHECK(cursor.high == 8001);
    CHECK(cursor.holes == Places{16, 4000});
    f.queue.return_all();
    CHECK(f.take() == Places{16, 4000});
}

TEST_CASE("what has expired is not given out, and counts as done") {
    Fixture f;
    f.append(8, 10, now - 1s);
    f.append(16);
    f.append(24, 10, now);
    f.append(32, 10, now + 1ns);
    CHECK(f.take() == Places{16, 32});
    CHECK(f.queue.expired() == 2);
    CHECK(f.queue.length() == 2);
    f.queue.return_all();
    f.queue.expire(now + 1s);
    CHECK(f.take() == Places{16});
}

TEST_CASE("no more than the limit is in flight") {
    Fixture f;
    for (LogPosition at = 1; at <= most_in_flight + 10; ++at) f.append(8 * at, 1);
    CHECK(f.take(10'000).size() == most_in_flight);
    CHECK_FALSE(f.queue.has_due());
    f.queue.finish(8);
    CHECK(f.take(10'000).size() == 1);
}

TEST_CASE("a queue without room leaves messages in the log, and goes on there") {
    Fixture f;
    f.cache.limit = 0;  // only its own room
    LogPosition at = 8;
    for (; !f.queue.behind(); at += 8) f.append(at, 4000);
    CHECK(*f.queue.behind() == at - 8);
    CHECK(f.cache.used <= own_room);
    const auto window = f.take(1000).size();
    CHECK(window >= 10);
    CHECK(f.queue.length() == window + 1);
    f.append(at, 1);  // in order: it must not overtake
    CHECK(f.take().empty());
    f.queue.return_all();
    for (const auto place : f.take(1000)) f.queue.finish(place);
    f.queue.load({at - 8, segment, SteadyTime::max(), std::make_shared<model::Message>(), false, {}});
    f.queue.load({at, segment, SteadyTime::max(), std::make_shared<model::Message>(), false, {}});
    CHECK(f.queue.caught_up() == 0);
    CHECK(f.take() == Places{at - 8, at});
    CHECK_FALSE(f.queue.behind());
}

TEST_CASE("a restored queue loads only what is not done, and keeps its cursor meanwhile") {
    Fixture f;
    f.queue.restore(100, {8, 40}, 8, {{segment, 3}});
    CHECK(f.queue.length() == 3);
    CHECK(f.queue.cursor(1).holes == Places{8, 40});
    const auto load = [&](LogPosition at) {
        f.queue.load({at, segment, SteadyTime::max(), std::make_shared<model::Message>(), false, {}});
    };
    load(8);
    load(16);
    f.queue.caught_up_to(24);
    CHECK(f.take() == Places{8});
    f.queue.finish(8);
    CHECK(f.queue.cursor(1).high == 100);
    CHECK(f.queue.cursor(1).holes == Places{40});
    for (const LogPosition at : {32, 40, 96, 104}) load(at);
    f.queue.caught_up_to(112);
    CHECK_FALSE(f.queue.behind());
    CHECK(f.take() == Places{40, 104});
}

TEST_CASE("messages that the log has lost don't keep a queue waiting") {
    Fixture f;
    f.queue.restore(0, {}, 8, {{0, 2}, {4096, 1}});
    f.queue.load({8, 0, SteadyTime::max(), std::make_shared<model::Message>(), false, {}});
    CHECK(f.queue.caught_up() == 2);
    CHECK(f.queue.length() == 1);
    CHECK(f.use.wanted(0));
    CHECK_FALSE(f.use.wanted(4096));
}

TEST_CASE("what could not be stored is withdrawn, wherever it is") {
    Fixture f;
    f.append(8);
    f.append(16);
    f.cache.limit = 0;
    f.append(24, 100'000);  // stays in the log
    CHECK(f.queue.behind() == 24);
    f.take(1);
    for (const LogPosition at : {8, 16, 24}) f.queue.withdraw(at, segment);
    CHECK(f.queue.length() == 0);
    CHECK_FALSE(f.use.wanted(segment));
    f.queue.finish(8);
    CHECK(f.queue.length() == 0);
    CHECK(f.cache.used == 0);
}
