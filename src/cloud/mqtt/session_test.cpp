#include "cloud/cloud_test.hpp"

#include <doctest/doctest.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

using namespace skerry;
using namespace skerry::cloud;
using namespace std::chrono_literals;
namespace mqtt = codec::mqtt;
namespace json = boost::json;

TEST_CASE("telemetry is in the log when its PUBACK comes, with its properties, and in order") {
    with_cloud([](TestCloud& test) -> Task<> {
        co_await test.create("d1");
        auto device = co_await test.device("d1");
        for (mqtt::PacketId id = 1; id <= 50; ++id)
            co_await device.publish("devices/d1/messages/events/%24.mid=m" + std::to_string(id) + "&level=high",
                                    std::to_string(id), id);
        for (mqtt::PacketId id = 1; id <= 50; ++id) CHECK((co_await device.expect<mqtt::Puback>()).id == id);
        const auto events = co_await test.events();
        REQUIRE(events.size() == 50);
        CHECK(events[0].at("body") == "1");
        CHECK(events[49].at("body") == "50");
        CHECK(events[0].at("systemProperties").at("message-id") == "m1");
        CHECK(events[0].at("properties").at("level") == "high");
        CHECK(events[0].at("deviceId") == "d1");
        co_await test.restart();
        CHECK((co_await test.events()).size() == 50);
        CHECK((co_await test.events("d2")).empty());
        CHECK((co_await test.events("d1")).size() == 50);
    });
}

TEST_CASE("a wrong, expired or missing credential gets CONNACK 5 and the connection ends") {
    with_cloud([](TestCloud& test) -> Task<> {
        co_await test.create("d1");
        co_await test.create("d2");
        const auto other = co_await test.token("d2");
        const auto expired = co_await test.token("d1", -1h);
        const auto good = co_await test.token("d1");
        struct Attempt {
            std::string client_id;
            std::string user_name;
            std::string password;
        };
        const std::vector<Attempt> attempts{{"d1", TestCloud::user_name("d1"), other},
                                            {"d1", TestCloud::user_name("d1"), expired},
                                            {"d1", TestCloud::user_name("d1"), "nonsense"},
                                            {"d1", TestCloud::user_name("d1"), ""},
                                            {"d2", TestCloud::user_name("d1"), good},
                                            {"d1", "other.host/d1/?api-version=2021-04-12", good},
                                            {"d1", "nonsense", good},
                                            {"d3", TestCloud::user_name("d3"), good}};
        for (const auto& [client_id, user_name, password] : attempts) {
            auto device = co_await test.dial();
            CHECK(co_await device.connect(client_id, user_name, password) == mqtt::ConnectCode::not_authorized);
            CHECK_FALSE(co_await device.receive());
        }
        auto device = co_await test.dial();
        CHECK(co_await device.connect("d1", TestCloud::user_name("d1"), good) == mqtt::ConnectCode::accepted);
    });
}

TEST_CASE("an edge hub connects for its modules and children with its own token") {
    with_cloud([](TestCloud& test) -> Task<> {
        const auto edge = co_await test.create("edge", R"(,"capabilities":{"iotEdge":true})");
        const std::string scope(edge.at("deviceScope").as_string());
        co_await test.create("leaf", R"(,"deviceScope":")" + scope + "\"");
        co_await test.create("stranger");
        const auto token = co_await test.token("edge/$edgeHub");
        auto leaf = co_await test.dial();
        CHECK(co_await leaf.connect("leaf", TestCloud::user_name("leaf", {"leaf", "edge"}), token) ==
              mqtt::ConnectCode::accepted);
        co_await leaf.publish("devices/leaf/messages/events/", "hello", 1);
        co_await leaf.expect<mqtt::Puback>();
        CHECK((co_await test.events()).at(0).at("deviceId") == "leaf");
        auto stranger = co_await test.dial();
        CHECK(co_await stranger.connect("stranger", TestCloud::user_name("stranger", {"stranger", "edge"}), token) ==
              mqtt::ConnectCode::not_authorized);
    });
}

TEST_CASE("a new connection of the same identity ends the older one") {
    with_cloud([](TestCloud& test) -> Task<> {
        co_await test.create("d1");
        auto first = co_await test.device("d1");
        auto second = co_await test.device("d1");
        CHECK_FALSE(co_await first.receive());
        co_await second.send(mqtt::Pingreq{});
        co_await second.expect<mqtt::Pingresp>();
        const auto device = co_await test.call("GET", "/devices/d1");
        CHECK(device.body.at("connectionState") == "Connected");
    });
}

TEST_CASE("the connection ends when its token does") {
    with_cloud([](TestCloud& test) -> Task<> {
        co_await test.create("d1");
        const auto token = co_await test.token("d1", 2s);  // in whole seconds: one is left at least
        auto device = co_await test.dial();
        CHECK(co_await device.connect("d1", TestCloud::user_name("d1"), token) == mqtt::ConnectCode::accepted);
        CHECK_FALSE(co_await device.receive());
    });
}

TEST_CASE("a silent client is dropped after 1.5 times its keep-alive, and its will becomes telemetry") {
    with_cloud([](TestCloud& test) -> Task<> {
        co_await test.create("d1");
        const auto token = co_await test.token("d1");
        auto device = co_await test.dial();
        const mqtt::Will will{"devices/d1/messages/events/why=lost", "gone", mqtt::QoS::at_least_once, false};
        co_await device.connect("d1", TestCloud::user_name("d1"), token, will, 1);
        CHECK_FALSE(co_await device.receive());
        std::vector<json::object> events;
        while (events.empty()) events = co_await test.events();
        CHECK(events[0].at("body") == "gone");
        CHECK(events[0].at("properties").at("iothub-MessageType") == "Will");
        CHECK(events[0].at("properties").at("why") == "lost");
    });
}

TEST_CASE("an orderly goodbye leaves no will behind") {
    with_cloud([](TestCloud& test) -> Task<> {
        co_await test.create("d1");
        const auto token = co_await test.token("d1");
        auto device = co_await test.dial();
        co_await device.connect("d1", TestCloud::user_name("d1"), token,
                                mqtt::Will{"devices/d1/messages/events/", "gone", mqtt::QoS::at_least_once, false});
        co_await device.send(mqtt::Disconnect{});
        CHECK_FALSE(co_await device.receive());
        CHECK((co_await test.events()).empty());
    });
}

TEST_CASE("what no client of a hub sends ends its connection, and nobody else's") {
    with_cloud([](TestCloud& test) -> Task<> {
        co_await test.create("d1");
        co_await test.create("d2");
        auto bystander = co_await test.device("d2");
        const std::vector<mqtt::Packet> offences{
            mqtt::Publish{"devices/d2/messages/events/", "", mqtt::QoS::at_least_once, false, false, 1, {}},
            mqtt::Publish{"some/topic", "", mqtt::QoS::at_least_once, false, false, 1, {}},
            mqtt::Publish{"devices/d1/messages/events/", "", mqtt::QoS::exactly_once, false, false, 1, {}},
            mqtt::Publish{
                "devices/d1/messages/events/", std::string(262145, 'x'), mqtt::QoS::at_least_once, false, false, 1, {}},
            mqtt::Connect{}};
        for (const auto& offence : offences) {
            auto device = co_await test.device("d1");
            co_await device.send(offence);
            CHECK_FALSE(co_await device.receive());
        }
        CHECK((co_await test.events()).empty());
        co_await bystander.send(mqtt::Pingreq{});
        co_await bystander.expect<mqtt::Pingresp>();
    });
}

TEST_CASE("a message of exactly 256 KiB is accepted") {
    with_cloud([](TestCloud& test) -> Task<> {
        co_await test.create("d1");
        auto device = co_await test.device("d1");
        co_await device.publish("devices/d1/messages/events/", std::string(262144, 'x'), 1);
        CHECK((co_await device.expect<mqtt::Puback>()).id == 1);
    });
}

TEST_CASE("filters of others are refused, its own granted with QoS 1 at most") {
    with_cloud([](TestCloud& test) -> Task<> {
        co_await test.create("d1");
        auto device = co_await test.device("d1");
        CHECK(co_await device.subscribe({"devices/d1/messages/devicebound/#", "devices/d2/messages/devicebound/#", "#",
                                         "$iothub/methods/POST/#"}) == std::vector<std::uint8_t>{1, 0x80, 0x80, 1});
    });
}

TEST_CASE("a device reads its twin, reports, and hears of desired changes as patches") {
    with_cloud([](TestCloud& test) -> Task<> {
        co_await test.create("d1");
        auto device = co_await test.device("d1");
        co_await device.publish("$iothub/twin/GET/?$rid=r1", " ", 0);
        auto answer = co_await device.expect<mqtt::Publish>();
        CHECK(answer.topic == "$iothub/twin/res/200/?$rid=r1");
        CHECK(json::parse(answer.payload) == json::parse(R"({"desired":{"$version":1},"reported":{"$version":1}})"));

        co_await device.publish("$iothub/twin/PATCH/properties/reported/?$rid=r2", R"({"state":"ok"})", 5);
        answer = co_await device.expect<mqtt::Publish>();
        CHECK(answer.topic == "$iothub/twin/res/204/?$rid=r2&$version=2");
        CHECK(answer.payload.empty());
        CHECK((co_await device.expect<mqtt::Puback>()).id == 5);

        const auto patched =
            co_await test.call("PATCH", "/twins/d1", R"({"properties":{"desired":{"t":25,"gone":null}}})");
        CHECK(patched.status == 200);
        CHECK(patched.body.at("properties").at("reported").at("state") == "ok");
        answer = co_await device.expect<mqtt::Publish>();
        CHECK(answer.topic == "$iothub/twin/PATCH/properties/desired/?$version=2");
        CHECK(json::parse(answer.payload) == json::parse(R"({"t":25,"gone":null,"$version":2})"));

        co_await device.publish("$iothub/twin/PATCH/properties/reported/?$rid=r3", "not json", 0);
        answer = co_await device.expect<mqtt::Publish>();
        CHECK(answer.topic == "$iothub/twin/res/400/?$rid=r3");
        CHECK(json::parse(answer.payload).at("errorCode") == 400004);
    });
}

namespace {
Task<> answer_method(TestDevice& device, std::string payload) {
    const auto request = co_await device.expect<mqtt::Publish>();
    CHECK(request.topic.starts_with("$iothub/methods/POST/reboot/?$rid="));
    CHECK(request.payload == R"({"delay":1})");
    const auto id = request.topic.substr(request.topic.find("$rid=") + 5);
    co_await device.publish("$iothub/methods/res/202/?$rid=" + id, payload, 0);
}
}  // namespace

TEST_CASE("a method call brings back the device's status and payload") {
    with_cloud([](TestCloud& test) -> Task<> {
        co_await test.create("d1");
        auto device = co_await test.device("d1");
        TaskScope scope(test.platform().executor);
        scope.spawn("device", answer_method(device, R"({"done":true})"));
        const auto reply =
            co_await test.call("POST", "/twins/d1/methods", R"({"methodName":"reboot","payload":{"delay":1}})");
        CHECK(reply.status == 200);
        CHECK(json::serialize(reply.body) == R"({"status":202,"payload":{"done":true}})");
        co_await scope.close();
    });
}

TEST_CASE("a method call to a device that is away fails at once, or waits for it when asked to") {
    with_cloud([](TestCloud& test) -> Task<> {
        co_await test.create("d1");
        const auto away = co_await test.call("POST", "/twins/d1/methods", R"({"methodName":"reboot"})");
        CHECK(away.status == 404);
        CHECK(away.error_code == "DeviceNotOnline");
        const auto detail = json::parse(away.body.at("Message").as_string());
        CHECK(detail.at("errorCode") == 404103);
        const auto unknown = co_await test.call("POST", "/twins/nobody/methods", R"({"methodName":"reboot"})");
        CHECK(unknown.error_code == "DeviceNotFound");

        std::optional<TestDevice> device;
        TaskScope scope(test.platform().executor);
        const auto come = [](TestCloud& cloud, std::optional<TestDevice>& out) -> Task<> {
            out.emplace(co_await cloud.device("d1"));
            co_await answer_method(*out, "");
        };
        scope.spawn("device", come(test, device));
        const auto reply =
            co_await test.call("POST", "/twins/d1/methods",
                               R"({"methodName":"reboot","payload":{"delay":1},"connectTimeoutInSeconds":10})");
        CHECK(json::serialize(reply.body) == R"({"status":202,"payload":null})");
        co_await scope.close();
    });
}

TEST_CASE("a disabled or deleted device loses its connection") {
    with_cloud([](TestCloud& test) -> Task<> {
        co_await test.create("d1");
        auto device = co_await test.device("d1");
        co_await test.call("PUT", "/devices/d1", R"({"deviceId":"d1","status":"disabled"})", {}, "*");
        CHECK_FALSE(co_await device.receive());
        co_await test.create("d2");
        auto other = co_await test.device("d2");
        CHECK((co_await test.call("DELETE", "/devices/d2")).status == 204);
        CHECK_FALSE(co_await other.receive());
    });
}

TEST_CASE("a client of another level of MQTT is told so") {
    with_cloud([](TestCloud& test) -> Task<> {
        auto device = co_await test.dial();
        mqtt::Connect connect;
        connect.level = 3;
        connect.client_id = "d1";
        co_await device.send(connect);
        CHECK((co_await device.expect<mqtt::Connack>()).code == mqtt::ConnectCode::unacceptable_protocol);
    });
}

namespace {
// The device d1, listening for messages.
Task<TestDevice> taker(TestCloud& test) {
    auto device = co_await test.device("d1");
    co_await device.send(mqtt::Subscribe{8, {{"devices/d1/messages/devicebound/#", mqtt::QoS::at_least_once}}});
    (void)co_await device.expect<mqtt::Suback>();
    co_return device;
}
}  // namespace

TEST_CASE("a message to a device waits for it, and is completed by its acknowledgement, not before") {
    with_cloud([](TestCloud& test) -> Task<> {
        co_await test.create("d1");
        const auto token = co_await test.policy_token("service");
        const std::string queue = "/devices/d1/messages/devicebound?api-version=2021-04-12";
        CHECK((co_await test.call("POST", queue, "first", token)).status == 204);
        {
            auto device = co_await taker(test);
            const auto publish = co_await device.expect<mqtt::Publish>();
            CHECK(publish.topic.starts_with("devices/d1/messages/devicebound/"));
            CHECK(publish.topic.contains("%24.to=%2Fdevices%2Fd1%2Fmessages%2FdeviceBound"));
            CHECK(publish.payload == "first");
            CHECK(publish.qos == mqtt::QoS::at_least_once);
            device.close();
        }
        auto device = co_await taker(test);
        const auto again = co_await device.expect<mqtt::Publish>();
        CHECK(again.payload == "first");
        co_await device.send(mqtt::Puback{again.id});
        CHECK((co_await test.call("POST", queue, "second", token)).status == 204);
        const auto second = co_await device.expect<mqtt::Publish>();
        CHECK(second.payload == "second");
        co_await device.send(mqtt::Puback{second.id});
        co_await device.send(mqtt::Disconnect{});
        CHECK_FALSE((co_await device.receive()).has_value());

        CHECK((co_await test.call("POST", queue, "third", token)).status == 204);
        auto last = co_await taker(test);
        CHECK((co_await last.expect<mqtt::Publish>()).payload == "third");
    });
}

TEST_CASE("messages to devices are settled over HTTPS, each with its lock") {
    with_cloud([](TestCloud& test) -> Task<> {
        co_await test.create("d1");
        const auto service = co_await test.policy_token("service");
        const auto own = co_await test.token("d1");
        const std::string queue = "/devices/d1/messages/deviceBound";
        CHECK((co_await test.call("POST", queue, "x", own)).status == 401);
        CHECK((co_await test.call("GET", queue, "", service)).status == 401);
        CHECK((co_await test.call("POST", "/devices/nobody/messages/devicebound", "x", service)).status == 404);
        CHECK((co_await test.call("GET", queue, "", own)).status == 204);
        CHECK((co_await test.call("POST", queue, R"("x")", service)).status == 204);
        const auto received = co_await test.call("GET", queue, "", own);
        CHECK(received.status == 200);
        CHECK(received.body == "x");
        CHECK((co_await test.call("GET", queue, "", own)).status == 204);
        CHECK((co_await test.call("DELETE", queue + "/nonsense", "", own)).status == 412);
        CHECK((co_await test.call("GET", "/messages/servicebound/feedback", "", service)).status == 204);
        const auto purged = co_await test.call("DELETE", "/devices/d1/commands", "", service);
        CHECK(purged.body.at("totalMessagesPurged") == 1);
    });
}
