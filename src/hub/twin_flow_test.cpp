// Twins and methods through a whole hub.
#include "hub/test_hub.hpp"

#include <doctest/doctest.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

using namespace skerry;
using namespace skerry::hub;
using namespace skerry::hub::testing;
using namespace std::chrono_literals;
namespace wire = codec::mqtt;
namespace json = boost::json;

namespace {
const std::vector<std::string> twin_filters{"$iothub/twin/res/#", "$iothub/twin/PATCH/properties/desired/#"};
const std::string report_topic = "$iothub/twin/PATCH/properties/reported/?$rid=";

Task<json::value> get_twin(TestClient& client, std::string rid) {
    co_await client.publish("$iothub/twin/GET/?$rid=" + rid, " ", 0);
    const auto answer = co_await client.expect<wire::Publish>();
    CHECK(answer.topic == "$iothub/twin/res/200/?$rid=" + rid);
    co_return json::parse(answer.payload);
}

Task<int> report(TestClient& client, std::string patch) {
    co_await client.publish(report_topic + "r", std::move(patch), 0);
    const auto answer = co_await client.expect<wire::Publish>();
    co_return std::stoi(answer.topic.substr(std::string_view("$iothub/twin/res/").size(), 3));
}
}  // namespace

TEST_CASE("a twin is the cloud's, and the last known one while the cloud is away") {
    with_hub([](TestHub& hub) -> Task<> {
        hub.cloud.set_desired("leaf1", R"({"interval":5,"$version":3})");
        const auto leaf = co_await hub.connect("leaf1");
        (void)co_await leaf->subscribe(twin_filters, wire::QoS::at_most_once);
        CHECK((co_await get_twin(*leaf, "a")).at("desired").at("interval") == 5);
        hub.go_offline();
        CHECK((co_await get_twin(*leaf, "b")).at("desired").at("interval") == 5);
        const auto other = co_await hub.connect("edge1/sensor");
        (void)co_await other->subscribe(twin_filters, wire::QoS::at_most_once);
        CHECK((co_await get_twin(*other, "c")) == json::parse(R"({"desired":{},"reported":{}})"));
    });
}

TEST_CASE("reported properties are accepted offline, seen at once, merged, and sent when the cloud is back") {
    with_hub([](TestHub& hub) -> Task<> {
        hub.go_offline();
        const auto leaf = co_await hub.connect("leaf1");
        (void)co_await leaf->subscribe(twin_filters, wire::QoS::at_most_once);
        CHECK(co_await report(*leaf, R"({"a":1,"b":{"c":2}})") == 204);
        CHECK(co_await report(*leaf, R"({"a":null,"b":{"d":3}})") == 204);
        CHECK((co_await get_twin(*leaf, "x")).at("reported") == json::parse(R"({"b":{"c":2,"d":3}})"));
        // A crash in between loses nothing.
        co_await hub.stop();
        co_await hub.start();
        hub.go_online();
        co_await hub.eventually([&hub] { return !hub.cloud.reports.empty(); });
        CHECK(json::value(hub.cloud.reports.front()) == json::parse(R"({"a":null,"b":{"c":2,"d":3}})"));
    });
}

TEST_CASE("reported properties that break a rule are refused with the reason") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto leaf = co_await hub.connect("leaf1");
        (void)co_await leaf->subscribe(twin_filters, wire::QoS::at_most_once);
        for (const auto* bad : {"not json", "[1]", R"({"a.b":1})", R"({"a":[null]})"}) {
            co_await leaf->publish(report_topic + "r", bad, 0);
            const auto answer = co_await leaf->expect<wire::Publish>();
            CHECK_MESSAGE(answer.topic == "$iothub/twin/res/400/?$rid=r", bad);
            CHECK(json::parse(answer.payload).at("errorCode") == 400000);
        }
        CHECK(hub.cloud.reports.empty());
    });
}

TEST_CASE("desired patches are handed on in order, and a gap is filled with the difference") {
    with_hub([](TestHub& hub) -> Task<> {
        hub.cloud.set_desired("leaf1", R"({"a":1,"b":1,"$version":1})");
        const auto leaf = co_await hub.connect("leaf1");
        (void)co_await leaf->subscribe(twin_filters, wire::QoS::at_most_once);
        co_await hub.eventually([&hub] { return hub.cloud.interests["leaf1"].desired; });
        (void)co_await get_twin(*leaf, "a");

        co_await hub.cloud.listener->on_desired(identity("leaf1"), json::parse(R"({"a":2,"$version":2})").as_object());
        const auto next = co_await leaf->expect<wire::Publish>();
        CHECK(next.topic == "$iothub/twin/PATCH/properties/desired/?$version=2");
        CHECK(json::parse(next.payload) == json::parse(R"({"a":2,"$version":2})"));

        // Versions 3 and 4 got lost; 5 arrives.
        hub.cloud.set_desired("leaf1", R"({"a":3,"c":1,"$version":5})");
        co_await hub.cloud.listener->on_desired(identity("leaf1"), json::parse(R"({"c":1,"$version":5})").as_object());
        const auto filled = co_await leaf->expect<wire::Publish>();
        CHECK(filled.topic == "$iothub/twin/PATCH/properties/desired/?$version=5");
        CHECK(json::parse(filled.payload) == json::parse(R"({"a":3,"b":null,"c":1,"$version":5})"));

        // The connection was away while version 6 came.
        hub.go_offline();
        hub.cloud.set_desired("leaf1", R"({"a":4,"c":1,"$version":6})");
        hub.go_online();
        const auto resynced = co_await leaf->expect<wire::Publish>();
        CHECK(json::parse(resynced.payload) == json::parse(R"({"a":4,"$version":6})"));
    });
}

TEST_CASE("what a replaced section names no more is taken from the client, too") {
    with_hub([](TestHub& hub) -> Task<> {
        hub.cloud.set_desired("leaf1", R"({"a":1,"b":{"x":1,"y":2},"$version":1})");
        const auto leaf = co_await hub.connect("leaf1");
        (void)co_await leaf->subscribe(twin_filters, wire::QoS::at_most_once);
        co_await hub.eventually([&hub] { return hub.cloud.interests["leaf1"].desired; });
        (void)co_await get_twin(*leaf, "a");

        const auto* const whole = R"({"b":{"y":3},"$version":2})";
        hub.cloud.set_desired("leaf1", whole);
        co_await hub.cloud.listener->on_desired(identity("leaf1"), json::parse(whole).as_object());
        const auto replaced = co_await leaf->expect<wire::Publish>();
        CHECK(replaced.topic == "$iothub/twin/PATCH/properties/desired/?$version=2");
        CHECK(json::parse(replaced.payload) == json::parse(R"({"a":null,"b":{"x":null,"y":3},"$version":2})"));

        const auto* const patched = R"({"b":{"y":4},"$version":3})";
        hub.cloud.set_desired("leaf1", patched);
        co_await hub.cloud.listener->on_desired(identity("leaf1"), json::parse(patched).as_object());
        CHECK(json::parse((co_await leaf->expect<wire::Publish>()).payload) == json::parse(patched));
    });
}

TEST_CASE("a direct method reaches its client and its answer comes back") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto sensor = co_await hub.connect("edge1/sensor");
        (void)co_await sensor->subscribe({"$iothub/methods/POST/#"}, wire::QoS::at_most_once);
        TaskScope scope(co_await boost::asio::this_coro::executor);
        iothub::MethodResponse response;
        const auto call = [](TestHub& in, iothub::MethodResponse& out) -> Task<> {
            out = co_await in.cloud.listener->on_method(identity("edge1/sensor"), {"reset", R"({"hard":true})"});
        };
        scope.spawn("call", call(hub, response));
        const auto request = co_await sensor->expect<wire::Publish>();
        CHECK(request.topic.starts_with("$iothub/methods/POST/reset/?$rid="));
        CHECK(request.payload == R"({"hard":true})");
        const auto rid = request.topic.substr(request.topic.find("$rid=") + 5);
        // An answer from somebody else, and one to no call, are ignored.
        const auto leaf = co_await hub.connect("leaf1");
        co_await leaf->publish("$iothub/methods/res/500/?$rid=" + rid, "{}");
        (void)co_await leaf->expect<wire::Puback>();
        co_await sensor->publish("$iothub/methods/res/202/?$rid=" + rid, R"({"done":1})", 0);
        co_await scope.idle();
        CHECK(response.status == 202);
        CHECK(response.payload == R"({"done":1})");
    });
}

TEST_CASE("a method for a client that is not there, or goes away, gets an answer that says so") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto absent = co_await hub.cloud.listener->on_method(identity("leaf1"), {"reset", ""});
        CHECK(absent.status == 404);
        CHECK(absent.payload.contains("leaf1"));

        const auto leaf = co_await hub.connect("leaf1");
        (void)co_await leaf->subscribe({"$iothub/methods/POST/#"}, wire::QoS::at_most_once);
        TaskScope scope(co_await boost::asio::this_coro::executor);
        iothub::MethodResponse response;
        const auto call = [](TestHub& in, iothub::MethodResponse& out) -> Task<> {
            out = co_await in.cloud.listener->on_method(identity("leaf1"), {"reset", ""});
        };
        scope.spawn("call", call(hub, response));
        (void)co_await leaf->expect<wire::Publish>();
        leaf->drop();
        co_await scope.idle();
        CHECK(response.status == 504);
    });
}

TEST_CASE("the hub answers its own method, and knows no other") {
    with_hub([](TestHub& hub) -> Task<> {
        hub.cloud.identities.push_back(scope_identity("leaf2"));
        const auto refreshed = co_await hub.cloud.listener->on_method(
            hub.settings.own, {"refreshDeviceScopeIdentityCache", R"({"deviceIds":["leaf2"]})"});
        CHECK(refreshed.status == 200);
        (void)co_await hub.connect("leaf2");
        CHECK((co_await hub.cloud.listener->on_method(hub.settings.own, {"ping", ""})).status == 404);
        CHECK((co_await hub.cloud.listener->on_method(hub.settings.own, {"RefreshDeviceScopeIdentityCache", "x"}))
                  .status == 400);
    });
}
