#include "hub/mqtt/outbox.hpp"

#include "base/loop.hpp"

#include <doctest/doctest.h>

#include <map>

using namespace skerry;
using namespace skerry::hub::mqtt;
namespace wire = codec::mqtt;

TEST_CASE("everything pending leaves in one piece, in its order") {
    Loop loop;
    const auto main = [&loop](Event&) -> Task<int> {
        Outbox outbox(loop.executor());
        outbox.put(wire::Puback{1});
        REQUIRE(outbox.publish("t", "body", wire::QoS::at_least_once, 42));
        outbox.put(wire::Pingresp{});
        wire::Decoder decoder;
        decoder.feed(co_await outbox.next());
        CHECK(std::get<wire::Puback>(*decoder.next().value()).id == 1);
        const auto publish = std::get<wire::Publish>(*decoder.next().value());
        CHECK(publish.payload == "body");
        CHECK(std::holds_alternative<wire::Pingresp>(*decoder.next().value()));
        CHECK(outbox.written().empty());
        CHECK(outbox.acknowledged(publish.id) == 42);
        CHECK_FALSE(outbox.acknowledged(publish.id).has_value());  // only once
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}

TEST_CASE("a QoS 0 delivery is done when it is written") {
    Loop loop;
    const auto main = [&loop](Event&) -> Task<int> {
        Outbox outbox(loop.executor());
        REQUIRE(outbox.publish("t", "1", wire::QoS::at_most_once, 1));
        (void)co_await outbox.next();
        REQUIRE(outbox.publish("t", "2", wire::QoS::at_most_once, 2));
        CHECK(outbox.written() == std::vector<skerry::hub::DeliveryTag>{1});
        (void)co_await outbox.next();
        CHECK(outbox.written() == std::vector<skerry::hub::DeliveryTag>{2});
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}

TEST_CASE("packet ids in flight are distinct, also when they are used again") {
    Loop loop;
    const auto main = [&loop](Event&) -> Task<int> {
        Outbox outbox(loop.executor());
        wire::Decoder decoder;
        std::map<wire::PacketId, skerry::hub::DeliveryTag> in_flight;
        skerry::hub::DeliveryTag tag = 0;
        for (int round = 0; round < 700; ++round) {
            for (int i = 0; i < 100; ++i) REQUIRE(outbox.publish("t", "", wire::QoS::at_least_once, ++tag));
            decoder.feed(co_await outbox.next());
            (void)outbox.written();
            for (int i = 0; i < 100; ++i) {
                const auto id = std::get<wire::Publish>(*decoder.next().value()).id;
                REQUIRE(id != 0);
                REQUIRE(in_flight.emplace(id, tag - 99 + static_cast<skerry::hub::DeliveryTag>(i)).second);
            }
            // All but a few are acknowledged, in the order of their ids.
            while (in_flight.size() > static_cast<std::size_t>(round / 10 + 1)) {
                const auto [id, expected] = *in_flight.begin();
                REQUIRE(outbox.acknowledged(id) == expected);
                in_flight.erase(in_flight.begin());
            }
        }
        CHECK_FALSE(outbox.acknowledged(0));
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}

TEST_CASE("a client that does not read or does not acknowledge gets no more deliveries") {
    Loop loop;
    Outbox slow_reader(loop.executor());
    REQUIRE(slow_reader.publish("t", std::string(256 * 1024, 'x'), wire::QoS::at_most_once, 1));
    CHECK_FALSE(slow_reader.has_room());
    CHECK(slow_reader.is_backed_up());

    Outbox silent(loop.executor());
    int sent = 0;
    for (; silent.publish("t", "", wire::QoS::at_least_once, std::nullopt); ++sent)
        if (sent == 10'000) CHECK_FALSE(silent.has_room());
    CHECK(sent == 20'000);
    CHECK(silent.publish(std::string(70'000, 't'), "", wire::QoS::at_most_once, 1).error().code == Errc::malformed);
}
