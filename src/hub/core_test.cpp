// What clients and operators may rely on, against a whole hub.
#include "hub/core.hpp"

#include "hub/test_hub.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

using namespace skerry;
using namespace skerry::hub;
using namespace skerry::hub::testing;
using namespace std::chrono_literals;
namespace wire = codec::mqtt;
namespace json = boost::json;

namespace {
const std::string to_filter =
    R"(FROM /messages/modules/sensor/outputs/out INTO BrokeredEndpoint("/modules/filter/inputs/in"))";
const std::string to_cloud = "FROM /messages/* INTO $upstream";
const std::string sensor_out = "devices/edge1/modules/sensor/messages/events/%24.on=out/";
const std::string filter_in = "devices/edge1/modules/filter/inputs/#";

std::string config(std::int64_t version, std::string_view routes) {
    return fmt::format(R"({{"schemaVersion":"1.0","routes":{},"storeAndForwardConfiguration":{{"timeToLiveSecs":60}},)"
                       R"("$version":{}}})",
                       routes, version);
}
}  // namespace

TEST_CASE("a message is acknowledged, delivered to the input its route names, and sent upstream as its sender") {
    with_hub(
        [](TestHub& hub) -> Task<> {
            const auto filter = co_await hub.connect("edge1/filter");
            CHECK((co_await filter->subscribe({filter_in})).codes == std::vector<std::uint8_t>{1});
            const auto sensor = co_await hub.connect("edge1/sensor");
            co_await sensor->publish(sensor_out, "21.5", 9);
            CHECK((co_await sensor->expect<wire::Puback>()).id == 9);

            const auto delivered = co_await filter->expect<wire::Publish>();
            CHECK(delivered.payload == "21.5");
            CHECK(delivered.topic.starts_with("devices/edge1/modules/filter/inputs/in/"));
            CHECK(delivered.topic.contains("%24.cmid=sensor"));
            CHECK(delivered.qos == wire::QoS::at_least_once);
            co_await filter->send(wire::Puback{delivered.id});
            co_await hub.eventually([&hub] { return hub.cloud.bodies_of("edge1/sensor").size() == 1; });
        },
        {to_filter, to_cloud});
}

TEST_CASE("a message that no route wants is acknowledged and dropped") {
    with_hub(
        [](TestHub& hub) -> Task<> {
            const auto leaf = co_await hub.connect("leaf1");
            co_await leaf->publish("devices/leaf1/messages/events/", "nobody cares", 3);
            CHECK((co_await leaf->expect<wire::Puback>()).id == 3);
            CHECK(hub.cloud.received.empty());
        },
        {to_filter});
}

TEST_CASE("hundreds of messages in one go are acknowledged in their order and arrive in their order") {
    with_hub(
        [](TestHub& hub) -> Task<> {
            const auto sensor = co_await hub.connect("edge1/sensor");
            std::string bytes;
            for (wire::PacketId id = 1; id <= 600; ++id)
                wire::encode(
                    wire::Publish{
                        .topic = sensor_out, .payload = std::to_string(id), .qos = wire::QoS::at_least_once, .id = id},
                    bytes);
            co_await sensor->send_bytes(std::move(bytes));
            for (wire::PacketId id = 1; id <= 600; ++id) CHECK((co_await sensor->expect<wire::Puback>()).id == id);
            co_await hub.eventually([&hub] { return hub.cloud.received.size() == 600; });
            for (std::size_t i = 0; i < 600; ++i) CHECK(hub.cloud.received[i].second == std::to_string(i + 1));
        },
        {to_cloud});
}

TEST_CASE("what a consumer did not acknowledge is delivered again when it comes back") {
    with_hub(
        [](TestHub& hub) -> Task<> {
            const auto sensor = co_await hub.connect("edge1/sensor");
            auto filter = co_await hub.connect("edge1/filter");
            (void)co_await filter->subscribe({filter_in});
            for (wire::PacketId id = 1; id <= 3; ++id) co_await sensor->publish(sensor_out, std::to_string(id), id);
            for (int i = 1; i <= 3; ++i) {
                const auto delivered = co_await filter->expect<wire::Publish>();
                CHECK(delivered.payload == std::to_string(i));
                if (i == 2) co_await filter->send(wire::Puback{delivered.id});
            }
            // The acknowledgement has been read when the answer to a later ping is there.
            co_await filter->send(wire::Pingreq{});
            (void)co_await filter->expect<wire::Pingresp>();
            filter->drop();

            filter = co_await hub.connect("edge1/filter");
            (void)co_await filter->subscribe({filter_in});
            CHECK((co_await filter->expect<wire::Publish>()).payload == "1");
            CHECK((co_await filter->expect<wire::Publish>()).payload == "3");
        },
        {to_filter});
}

TEST_CASE("an input has a window: no more deliveries than that wait for an acknowledgement") {
    with_hub(
        [](TestHub& hub) -> Task<> {
            const auto sensor = co_await hub.connect("edge1/sensor");
            const auto filter = co_await hub.connect("edge1/filter");
            (void)co_await filter->subscribe({filter_in});
            const auto window = hub.settings.input_window;
            for (std::size_t i = 0; i < window + 5; ++i) {
                co_await sensor->publish(sensor_out, std::to_string(i), static_cast<wire::PacketId>(i + 1));
                (void)co_await sensor->expect<wire::Puback>();
            }
            std::vector<wire::PacketId> ids;
            for (std::size_t i = 0; i < window; ++i) ids.push_back((co_await filter->expect<wire::Publish>()).id);
            std::ranges::sort(ids);
            CHECK(std::ranges::adjacent_find(ids) == ids.end());  // each has an id of its own
            co_await filter->send(wire::Pingreq{});
            (void)co_await filter->expect<wire::Pingresp>();  // and not another message
            co_await filter->send(wire::Puback{ids.front()});
            CHECK((co_await filter->expect<wire::Publish>()).payload == std::to_string(window));
        },
        {to_filter});
}

TEST_CASE("a persistent session keeps its subscriptions, a clean one forgets them") {
    with_hub(
        [](TestHub& hub) -> Task<> {
            auto filter = co_await hub.dial();
            const auto connect = [&hub](bool clean) {
                return connect_packet("edge1/filter", hub.token("edge1/filter", key_of("edge1/filter")), clean);
            };
            CHECK_FALSE((co_await filter->handshake(connect(false))).session_present);
            (void)co_await filter->subscribe({filter_in});
            filter->drop();
            co_await hub.stop();
            co_await hub.start();

            const auto sensor = co_await hub.connect("edge1/sensor");
            co_await sensor->publish(sensor_out, "while away");
            (void)co_await sensor->expect<wire::Puback>();
            filter = co_await hub.dial();
            CHECK((co_await filter->handshake(connect(false))).session_present);
            CHECK((co_await filter->expect<wire::Publish>()).payload == "while away");  // without SUBSCRIBE
            filter->drop();

            filter = co_await hub.dial();
            CHECK_FALSE((co_await filter->handshake(connect(true))).session_present);
            filter = co_await hub.dial();
            CHECK_FALSE((co_await filter->handshake(connect(false))).session_present);
        },
        {to_filter});
}

TEST_CASE("a second connection of one identity takes over, and the first one's end changes nothing") {
    with_hub(
        [](TestHub& hub) -> Task<> {
            const auto first = co_await hub.connect("edge1/filter");
            const auto second = co_await hub.connect("edge1/filter");
            CHECK_FALSE((co_await first->receive()).has_value());
            (void)co_await second->subscribe({filter_in});
            const auto sensor = co_await hub.connect("edge1/sensor");
            co_await sensor->publish(sensor_out, "for the second");
            CHECK((co_await second->expect<wire::Publish>()).payload == "for the second");
        },
        {to_filter});
}

TEST_CASE("a client that vanishes leaves its will, one that says goodbye does not") {
    with_hub(
        [](TestHub& hub) -> Task<> {
            for (const bool says_goodbye : {true, false}) {
                auto connect = connect_packet("leaf1", hub.token("leaf1", key_of("leaf1")));
                connect.will = wire::Will{.topic = "devices/leaf1/messages/events/", .payload = "my will"};
                const auto client = co_await hub.dial();
                CHECK((co_await client->handshake(std::move(connect))).code == wire::ConnectCode::accepted);
                if (says_goodbye) {
                    co_await client->send(wire::Disconnect{});
                    CHECK_FALSE((co_await client->receive()).has_value());
                } else {
                    client->drop();
                    co_await hub.eventually([&hub] { return !hub.cloud.received.empty(); });
                }
            }
            CHECK(hub.cloud.bodies_of("leaf1") == std::vector<std::string>{"my will"});
        },
        {to_cloud});
}

TEST_CASE("with the cloud away messages wait, and arrive once, in order, when it is back") {
    with_hub(
        [](TestHub& hub) -> Task<> {
            hub.go_offline();
            const auto sensor = co_await hub.connect("edge1/sensor");
            for (wire::PacketId id = 1; id <= 20; ++id) {
                co_await sensor->publish(sensor_out, std::to_string(id), id);
                CHECK((co_await sensor->expect<wire::Puback>()).id == id);
            }
            CHECK(hub.cloud.received.empty());
            hub.go_online();
            co_await hub.eventually([&hub] { return hub.cloud.received.size() == 20; });
            for (std::size_t i = 0; i < 20; ++i) CHECK(hub.cloud.received[i].second == std::to_string(i + 1));
        },
        {to_cloud});
}

TEST_CASE("a sender that the cloud throttles delays nobody else") {
    with_hub(
        [](TestHub& hub) -> Task<> {
            hub.cloud.refuses["leaf1"] = Errc::full;
            const auto leaf = co_await hub.connect("leaf1");
            const auto sensor = co_await hub.connect("edge1/sensor");
            for (wire::PacketId id = 1; id <= 200; ++id)
                co_await leaf->publish("devices/leaf1/messages/events/", "slow", id);
            co_await sensor->publish(sensor_out, "quick");
            co_await hub.eventually([&hub] { return hub.cloud.bodies_of("edge1/sensor").size() == 1; });
            CHECK(hub.cloud.bodies_of("leaf1").empty());
            hub.cloud.refuses.clear();
            co_await hub.eventually([&hub] { return hub.cloud.bodies_of("leaf1").size() == 200; });
        },
        {to_cloud});
}

TEST_CASE("after a restart without network everything known works: clients, routes, stored messages") {
    with_hub(
        [](TestHub& hub) -> Task<> {
            hub.go_offline();
            auto sensor = co_await hub.connect("edge1/sensor");
            co_await sensor->publish(sensor_out, "before the restart");
            (void)co_await sensor->expect<wire::Puback>();
            co_await hub.stop();
            co_await hub.start();
            CHECK(hub.core().serving().is_set());

            sensor = co_await hub.connect("edge1/sensor");
            co_await sensor->publish(sensor_out, "after it");
            (void)co_await sensor->expect<wire::Puback>();
            hub.go_online();
            co_await hub.eventually([&hub] { return hub.cloud.received.size() == 2; });
            CHECK(hub.cloud.bodies_of("edge1/sensor") == std::vector<std::string>{"before the restart", "after it"});
        },
        {to_cloud});
}

// --- configuration

TEST_CASE("a bad route is reported by its name while the others flow") {
    with_hub([](TestHub& hub) -> Task<> {
        hub.cloud.set_desired("edge1/$edgeHub",
                              config(2, R"({"good":"FROM /messages/* INTO $upstream","broken":"FROM nowhere INTO"})"));
        hub.go_online();
        const auto status = [&hub]() -> const json::value* {
            boost::system::error_code missing;
            return json::value(hub.cloud.twins["edge1/$edgeHub"]).is_object()
                       ? hub.cloud.twins["edge1/$edgeHub"]["reported"].find_pointer("/lastDesiredStatus", missing)
                       : nullptr;
        };
        co_await hub.eventually([&] { return status() && status()->at("code") == 400; });
        CHECK(std::string(status()->at("description").as_string()).contains("broken"));
        const auto sensor = co_await hub.connect("edge1/sensor");
        co_await sensor->publish(sensor_out, "flows");
        co_await hub.eventually([&hub] { return hub.cloud.received.size() == 1; });
    });
}

TEST_CASE("a configuration that can't be used leaves the old one in force, and says so") {
    with_hub(
        [](TestHub& hub) -> Task<> {
            hub.cloud.set_desired("edge1/$edgeHub", R"({"schemaVersion":"9.9","routes":{},"$version":2})");
            hub.go_online();
            co_await hub.eventually([&hub] {
                const auto text = json::serialize(hub.cloud.twins["edge1/$edgeHub"]);
                return text.contains("\"code\":400") && text.contains("9.9");
            });
            const auto sensor = co_await hub.connect("edge1/sensor");
            co_await sensor->publish(sensor_out, "still flows");
            co_await hub.eventually([&hub] { return hub.cloud.received.size() == 1; });
        },
        {to_cloud});
}

TEST_CASE("the hub reports who is connected") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto sensor = co_await hub.connect("edge1/sensor");
        const auto reported = [&hub] { return json::serialize(hub.cloud.twins["edge1/$edgeHub"]["reported"]); };
        co_await hub.eventually([&] { return reported().contains(R"("edge1/sensor":{"status":"Connected")"); });
        sensor->drop();
        co_await hub.eventually([&] { return reported().contains(R"("edge1/sensor":{"status":"Disconnected")"); });
    });
}
