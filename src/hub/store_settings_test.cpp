// What the twin and the environment say about the store, as publishers see it, against a whole hub.
#include "hub/test_hub.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <boost/json/serialize.hpp>

using namespace skerry;
using namespace skerry::hub;
using namespace skerry::hub::testing;
using namespace std::chrono_literals;
namespace wire = codec::mqtt;
namespace json = boost::json;

namespace {
std::string events(std::string_view output) {
    return fmt::format("devices/edge1/modules/sensor/messages/events/%24.on={}/", output);
}

void configure(TestHub& hub, int version, std::string_view routes, std::uint64_t bytes) {
    hub.cloud.set_desired(
        "edge1/$edgeHub",
        fmt::format(
            R"({{"schemaVersion":"1.1","routes":{},"storeAndForwardConfiguration":{{"timeToLiveSecs":60,"storeLimits":)"
            R"({{"maxSizeBytes":{}}}}},"$version":{}}})",
            routes, bytes, version));
    hub.go_online();
}

// Of schema 1.1, in force when this returns.
Task<> put_in_force(TestHub& hub, int version, std::string routes, int time_to_live) {
    hub.cloud.set_desired("edge1/$edgeHub",
                          fmt::format(R"({{"schemaVersion":"1.1","routes":{},"storeAndForwardConfiguration":)"
                                      R"({{"timeToLiveSecs":{}}},"$version":{}}})",
                                      routes, time_to_live, version));
    hub.go_online();
    co_await hub.eventually([&hub, version] {
        const auto reported = json::serialize(hub.cloud.twins["edge1/$edgeHub"]["reported"]);
        return reported.contains(fmt::format("\"lastDesiredVersion\":{}", version)) &&
               reported.contains("\"code\":200");
    });
}

Task<> publish(TestClient& client, std::string_view output, std::string body) {
    co_await client.publish(events(output), std::move(body));
    (void)co_await client.expect<wire::Puback>();
}

// What an input holds and takes, in this order.
Task<std::vector<std::string>> bodies_at(TestHub& hub, std::size_t count) {
    const auto filter = co_await hub.connect("edge1/filter");
    co_await filter->subscribe({"devices/edge1/modules/filter/inputs/#"});
    std::vector<std::string> bodies;
    while (bodies.size() < count) {
        const auto publish = co_await filter->expect<wire::Publish>();
        bodies.push_back(publish.payload);
        co_await filter->send(wire::Puback{publish.id});
    }
    co_return bodies;
}

// How many syncs there have been.
Task<std::string> syncs(TestHub& hub) {
    codec::HttpRequest request;
    request.target = "/metrics";
    const auto page = (co_await hub.ask(request)).body;
    const auto line = page.find("\nskerry_hub_store_sync_duration_seconds_count");
    const auto value = page.find(' ', line + 1);
    co_return page.substr(value + 1, page.find('\n', value) - value - 1);
}

Task<> until_reported(TestHub& hub, std::string_view text) {
    co_await hub.eventually(
        [&hub, text] { return json::serialize(hub.cloud.twins["edge1/$edgeHub"]["reported"]).contains(text); });
}

constexpr std::string_view to_filter =
    R"x({"local":"FROM /messages/* INTO BrokeredEndpoint(\"/modules/filter/inputs/in\")"})x";
}  // namespace

TEST_CASE("a publisher whose message finds no room gets no PUBACK but the end of its connection, until there is room") {
    with_hub([](TestHub& hub) -> Task<> {
        configure(hub, 2, to_filter, 64 * 1024);
        co_await until_reported(hub, "\"lastDesiredVersion\":2");
        auto sensor = co_await hub.connect("edge1/sensor");
        int acknowledged = 0;
        for (int n = 0; n < 200; ++n) {
            co_await sensor->publish(events("out"), std::string(8000, 'x'), static_cast<wire::PacketId>(n + 1));
            const auto answer = co_await sensor->receive();
            if (!answer) break;
            CHECK(std::get<wire::Puback>(*answer).id == n + 1);
            ++acknowledged;
        }
        CHECK(acknowledged > 3);
        CHECK(acknowledged < 200);
        configure(hub, 3, to_filter, 1024 * 1024);
        co_await until_reported(hub, "\"lastDesiredVersion\":3");
        sensor = co_await hub.connect("edge1/sensor");
        co_await sensor->publish(events("out"), "again", 7);
        CHECK((co_await sensor->expect<wire::Puback>()).id == 7);
    });
}

TEST_CASE("PUBACKs come in the order of the publishes, whatever class their routes have") {
    with_hub([](TestHub& hub) -> Task<> {
        configure(hub, 2,
                  R"({"safe":"FROM /messages/modules/sensor/outputs/safe INTO $upstream",
                      "fast":{"route":"FROM /messages/modules/sensor/outputs/fast INTO $upstream","durability":"memory"}})",
                  1024 * 1024);
        co_await until_reported(hub, "\"lastDesiredVersion\":2");
        hub.go_offline();
        const auto sensor = co_await hub.connect("edge1/sensor");
        std::string bytes;
        for (wire::PacketId id = 1; id <= 60; ++id) {
            wire::Publish publish;
            publish.topic = events(id % 3 == 0 ? "safe" : "fast");
            publish.payload = "x";
            publish.qos = wire::QoS::at_least_once;
            publish.id = id;
            wire::encode(publish, bytes);
        }
        co_await sensor->send_bytes(std::move(bytes));
        for (wire::PacketId id = 1; id <= 60; ++id) CHECK((co_await sensor->expect<wire::Puback>()).id == id);
        hub.go_online();
        co_await hub.eventually([&hub] { return hub.cloud.bodies_of("edge1/sensor").size() == 60; });
    });
}

TEST_CASE("a route with a durability that is none is reported, the others are in force") {
    with_hub([](TestHub& hub) -> Task<> {
        configure(hub, 2,
                  R"({"bad":{"route":"FROM /messages/* INTO $upstream","durability":"ssd"},
                      "good":"FROM /messages/* INTO $upstream"})",
                  1024 * 1024);
        co_await until_reported(hub, "route 'bad'.durability: 'ssd' is none: must be disk, os or memory");
        co_await until_reported(hub, "\"code\":400");
        const auto sensor = co_await hub.connect("edge1/sensor");
        co_await sensor->publish(events("out"), "flows");
        co_await hub.eventually([&hub] { return hub.cloud.received.size() == 1; });
    });
}

using Bodies = std::vector<std::string>;

TEST_CASE("times to live of the twin and of a route hold for what comes after them, without a restart") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto routes = [](std::string_view more) {
            return fmt::format(
                R"x({{"a":"FROM /messages/modules/sensor/outputs/a INTO BrokeredEndpoint(\"/modules/filter/inputs/in\")",
                      "b":{{"route":"FROM /messages/modules/sensor/outputs/b INTO BrokeredEndpoint(\"/modules/filter/inputs/in\")"{}}}}})x",
                more);
        };
        const auto sensor = co_await hub.connect("edge1/sensor");
        co_await put_in_force(hub, 2, routes(""), 1);
        co_await publish(*sensor, "a", "of a second");
        co_await put_in_force(hub, 3, routes(R"(,"timeToLiveSecs":1)"), -1);
        co_await publish(*sensor, "a", "for ever");
        co_await publish(*sensor, "b", "of a second by its route");
        co_await put_in_force(hub, 4, routes(R"(,"timeToLiveSecs":3600)"), 1);
        co_await publish(*sensor, "a", "of a second again");
        co_await publish(*sensor, "b", "of an hour by its route");
        co_await hub.clock.sleep(1050ms);
        CHECK(co_await bodies_at(hub, 2) == Bodies{"for ever", "of an hour by its route"});
    });
}

TEST_CASE("a route's priority holds for what comes after it, without a restart") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto routes = [](std::string_view more) {
            return fmt::format(
                R"x({{"r":{{"route":"FROM /messages/* INTO BrokeredEndpoint(\"/modules/filter/inputs/in\")"{}}}}})x",
                more);
        };
        const auto sensor = co_await hub.connect("edge1/sensor");
        co_await put_in_force(hub, 2, routes(""), 60);
        co_await publish(*sensor, "a", "without");
        co_await put_in_force(hub, 3, routes(R"(,"priority":9)"), 60);
        co_await publish(*sensor, "a", "nine");
        co_await put_in_force(hub, 4, routes(R"(,"priority":0)"), 60);
        co_await publish(*sensor, "a", "zero");
        // What is in a queue whose priority no route has any more is delivered all the same.
        CHECK(co_await bodies_at(hub, 3) == Bodies{"zero", "nine", "without"});
    });
}

TEST_CASE("a route's durability holds for what comes after it, without a restart") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto routes = [](std::string_view durability) {
            return fmt::format(
                R"x({{"r":{{"route":"FROM /messages/* INTO BrokeredEndpoint(\"/modules/filter/inputs/in\")","durability":"{}"}}}})x",
                durability);
        };
        const auto sensor = co_await hub.connect("edge1/sensor");
        co_await put_in_force(hub, 2, routes("memory"), 60);
        co_await publish(*sensor, "a", "one");
        CHECK(co_await syncs(hub) == "0");
        co_await put_in_force(hub, 3, routes("disk"), 60);
        co_await publish(*sensor, "a", "two");
        CHECK(co_await syncs(hub) == "1");
        co_await put_in_force(hub, 4, routes("memory"), 60);
        co_await publish(*sensor, "a", "three");
        CHECK(co_await syncs(hub) == "1");
        CHECK(co_await bodies_at(hub, 3) == Bodies{"one", "two", "three"});
    });
}
