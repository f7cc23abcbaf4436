// Who is let in, and what happens to those who misbehave: nobody else notices.
#include "hub/test_hub.hpp"

#include <doctest/doctest.h>

#include <functional>

using namespace skerry;
using namespace skerry::hub;
using namespace skerry::hub::testing;
using namespace std::chrono_literals;
namespace wire = codec::mqtt;

namespace {
struct Case {
    std::string what;
    wire::ConnectCode expected;
    std::function<void(TestHub&, wire::Connect&)> change;
};

const std::vector<Case>& cases() {
    using enum wire::ConnectCode;
    static const std::vector<Case> all{
        {"a good token", accepted, [](TestHub&, wire::Connect&) {}},
        {"the secondary key", accepted,
         [](TestHub& hub, wire::Connect& c) { c.password = hub.token("leaf1", key_of("leaf1 (secondary)")); }},
        {"the device's token for its module", accepted,
         [](TestHub& hub, wire::Connect& c) {
             c = connect_packet("edge1/sensor", hub.token("edge1", key_of("edge1")));
         }},
        {"another key", not_authorized,
         [](TestHub& hub, wire::Connect& c) { c.password = hub.token("leaf1", key_of("edge1/sensor")); }},
        {"an expired token", not_authorized,
         [](TestHub& hub, wire::Connect& c) { c.password = hub.token("leaf1", key_of("leaf1"), -10min); }},
        {"a token for somebody else", not_authorized,
         [](TestHub& hub, wire::Connect& c) { c.password = hub.token("leaf2", key_of("leaf1")); }},
        {"a module's token for its device", not_authorized,
         [](TestHub& hub, wire::Connect& c) {
             c = connect_packet("edge1", hub.token("edge1/sensor", key_of("edge1/sensor")));
         }},
        {"an unknown identity", not_authorized,
         [](TestHub& hub, wire::Connect& c) {
             c = connect_packet("stranger", hub.token("stranger", key_of("stranger")));
         }},
        {"the hub itself", not_authorized,
         [](TestHub& hub, wire::Connect& c) {
             c = connect_packet("edge1/$edgeHub", hub.token("edge1/$edgeHub", key_of("edge1/$edgeHub")));
         }},
        {"no password", not_authorized, [](TestHub&, wire::Connect& c) { c.password.reset(); }},
        {"a password that is no token", not_authorized, [](TestHub&, wire::Connect& c) { c.password = "secret"; }},
        {"another client id", not_authorized, [](TestHub&, wire::Connect& c) { c.client_id = "leaf2"; }},
        {"a user name without api-version", server_unavailable,
         [](TestHub&, wire::Connect& c) { c.user_name = "hub.example.net/leaf1/?x=1"; }},
        {"a user name of one part", server_unavailable, [](TestHub&, wire::Connect& c) { c.user_name = "leaf1"; }},
        {"no user name", server_unavailable,
         [](TestHub&, wire::Connect& c) {
             c.user_name.reset();
             c.password.reset();
         }},
    };
    return all;
}
}  // namespace

TEST_CASE("CONNECT is answered with the right code") {
    with_hub([](TestHub& hub) -> Task<> {
        for (const auto& one : cases()) {
            INFO(one.what);
            auto connect = connect_packet("leaf1", hub.token("leaf1", key_of("leaf1")));
            one.change(hub, connect);
            const auto client = co_await hub.dial();
            CHECK((co_await client->handshake(std::move(connect))).code == one.expected);
            if (one.expected != wire::ConnectCode::accepted) CHECK_FALSE((co_await client->receive()).has_value());
        }
    });
}

TEST_CASE("MQTT 5 gets 'unacceptable protocol', anything else than CONNECT gets nothing") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto five = co_await hub.dial();
        std::string bytes;
        wire::encode(connect_packet("leaf1", "x"), bytes);
        bytes[bytes.find("MQTT") + 4] = 5;
        co_await five->send_bytes(std::move(bytes));
        CHECK((co_await five->expect<wire::Connack>()).code == wire::ConnectCode::unacceptable_protocol);
        CHECK_FALSE((co_await five->receive()).has_value());

        const std::vector<std::string> all{"GET / HTTP/1.1\r\n\r\n", {"\xc0\x01\x00", 3}, "\x10\xff\xff\xff\xff\xff"};
        for (const auto& garbage : all) {
            const auto client = co_await hub.dial();
            co_await client->send_bytes(garbage);
            CHECK_FALSE((co_await client->receive()).has_value());
        }
        const auto impatient = co_await hub.dial();
        co_await impatient->send(wire::Pingreq{});
        CHECK_FALSE((co_await impatient->receive()).has_value());
    });
}

TEST_CASE("what a client must not send closes its connection and nobody else's") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto bystander = co_await hub.connect("edge1/sensor");
        const auto publish = [](std::string topic, std::string payload = "x",
                                wire::QoS qos = wire::QoS::at_least_once) {
            return wire::Publish{.topic = std::move(topic), .payload = std::move(payload), .qos = qos, .id = 5};
        };
        const std::vector<std::pair<std::string, wire::Packet>> bad{
            {"an unknown topic", publish("devices/leaf1/telemetry")},
            {"another device's topic", publish("devices/edge1/messages/events/")},
            {"a module's topic", publish("devices/leaf1/modules/m/messages/events/")},
            {"a broken property bag", publish("devices/leaf1/messages/events/=x&")},
            {"an unknown twin request", publish("$iothub/twin/DELETE/?$rid=1")},
            {"a twin request without an id", publish("$iothub/twin/GET/")},
            {"QoS 2", publish("devices/leaf1/messages/events/", "x", wire::QoS::exactly_once)},
            {"a message that is too large", publish("devices/leaf1/messages/events/", std::string(262'100, 'x'))},
            {"a packet that is too large", publish("devices/leaf1/messages/events/", std::string(300'000, 'x'))},
            {"a second CONNECT", connect_packet("leaf1", "x")},
            {"a server's packet", wire::Connack{}},
            {"an acknowledgement of QoS 2", wire::Pubrel{1}},
        };
        for (const auto& [what, packet] : bad) {
            INFO(what);
            const auto client = co_await hub.connect("leaf1");
            co_await client->send(packet);
            CHECK_FALSE((co_await client->receive()).has_value());
        }
        co_await bystander->send(wire::Pingreq{});
        (void)co_await bystander->expect<wire::Pingresp>();
    });
}

TEST_CASE("an unknown identity is asked about upstream once, and known from then on") {
    with_hub([](TestHub& hub) -> Task<> {
        for (int i = 0; i < 3; ++i) {
            const auto client = co_await hub.dial();
            const auto answer =
                co_await client->handshake(connect_packet("stranger", hub.token("stranger", key_of("stranger"))));
            CHECK(answer.code == wire::ConnectCode::not_authorized);
        }
        CHECK(hub.cloud.questions == 1);
        hub.cloud.identities.push_back(scope_identity("late"));
        (void)co_await hub.connect("late");
        CHECK(hub.cloud.questions == 2);
        hub.go_offline();
        (void)co_await hub.connect("late");
        co_await hub.stop();
        co_await hub.start();
        (void)co_await hub.connect("late");
    });
}

TEST_CASE("an identity that was removed or disabled in the cloud is disconnected") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto leaf = co_await hub.connect("leaf1");
        const auto sensor = co_await hub.connect("edge1/sensor");
        const auto filter = co_await hub.connect("edge1/filter");
        std::erase_if(hub.cloud.identities, [](const auto& known) { return known.identity.id() == "edge1/sensor"; });
        for (auto& known : hub.cloud.identities)
            if (known.identity.id() == "leaf1") known.enabled = false;
        hub.go_online();
        CHECK_FALSE((co_await leaf->receive()).has_value());
        CHECK_FALSE((co_await sensor->receive()).has_value());
        const auto again = co_await hub.dial();
        CHECK((co_await again->handshake(connect_packet("leaf1", hub.token("leaf1", key_of("leaf1"))))).code ==
              wire::ConnectCode::not_authorized);
        co_await filter->send(wire::Pingreq{});
        (void)co_await filter->expect<wire::Pingresp>();  // who was not changed stays
    });
}

TEST_CASE("a crowd that says nothing makes room for whoever comes, and those who are in stay") {
    with_hub([](TestHub& hub) -> Task<> {
        co_await hub.stop();
        hub.settings.most_clients = 2;
        co_await hub.start();
        const auto here = co_await hub.connect("leaf1");
        std::vector<std::unique_ptr<TestClient>> crowd;
        for (int count = 0; count < 150; ++count) crowd.push_back(co_await hub.dial());
        const auto sensor = co_await hub.connect("edge1/sensor");
        co_await here->send(wire::Pingreq{});
        (void)co_await here->expect<wire::Pingresp>();
        co_await sensor->send(wire::Pingreq{});
        (void)co_await sensor->expect<wire::Pingresp>();
    });
}

TEST_CASE("only so many clients are let in") {
    with_hub([](TestHub& hub) -> Task<> {
        co_await hub.stop();
        hub.settings.most_clients = 1;
        co_await hub.start();
        const auto first = co_await hub.connect("leaf1");
        const auto second = co_await hub.dial();
        CHECK((co_await second->handshake(
                   connect_packet("edge1/sensor", hub.token("edge1/sensor", key_of("edge1/sensor")))))
                  .code == wire::ConnectCode::server_unavailable);
        (void)co_await hub.connect("leaf1");  // taking over is not one more
    });
}
