#include "hub/router.hpp"

#include <doctest/doctest.h>

using namespace skerry;
using namespace skerry::hub;
using namespace std::chrono_literals;

namespace {
const auto own = model::Identity::parse("edge1/$edgeHub").value();
const auto sensor = model::Identity::parse("edge1/sensor").value();

model::Message from_sensor(std::string output) {
    model::Message message;
    message.body = "{}";
    message.set_system_property("connectionDeviceId", "edge1");
    message.set_system_property("connectionModuleId", "sensor");
    if (!output.empty()) message.set_system_property("outputName", std::move(output));
    return message;
}

model::RouteConfig route(std::string name, std::string text, std::uint32_t priority = default_priority,
                         std::uint32_t time_to_live = 0) {
    return {
        .name = std::move(name), .text = std::move(text), .priority = priority, .time_to_live_seconds = time_to_live};
}
}  // namespace

TEST_CASE("every matching route counts; one target per endpoint, with the most important route's priority and life") {
    Router router;
    model::HubConfig config;
    config.time_to_live_seconds = 60;
    config.routes = {
        route("all", "FROM /messages/* INTO $upstream", 5),
        route("again", "FROM /messages/modules/sensor/outputs/* INTO $upstream", 1, 10),
        route("local", R"(FROM /messages/modules/sensor/* INTO BrokeredEndpoint("/modules/filter/inputs/in"))")};
    CHECK(router.configure(config, own).empty());
    const auto targets = router.targets(from_sensor("out"), sensor);
    REQUIRE(targets.size() == 2);
    CHECK(targets[0].endpoint == "iothub//edge1/sensor");
    CHECK(targets[0].priority == 1);
    CHECK(targets[0].time_to_live == 10s);
    CHECK(targets[1].endpoint == "edge1/filter/in");
    CHECK(targets[1].priority == default_priority);
    CHECK(targets[1].time_to_live == 60s);
    CHECK(router.inputs().size() == 1);
}

TEST_CASE("the strongest durability among the routes to an endpoint holds, the hub's where a route says nothing") {
    for (const auto otherwise : {Durability::memory, Durability::disk}) {
        Router router(otherwise);
        model::HubConfig config;
        config.routes = {route("first", "FROM /messages/* INTO $upstream", 1),
                         route("second", "FROM /messages/modules/sensor/* INTO $upstream", 5),
                         route("local", R"(FROM /messages/* INTO BrokeredEndpoint("/modules/filter/inputs/in"))")};
        config.routes[1].durability = Durability::os;
        CHECK(router.configure(config, own).empty());
        const auto targets = router.targets(from_sensor("out"), sensor);
        REQUIRE(targets.size() == 2);
        CHECK(targets[0].priority == 1);
        CHECK(targets[0].durability == std::max(otherwise, Durability::os));
        CHECK(targets[1].durability == otherwise);
    }
}

TEST_CASE("messages upstream have a queue per sender") {
    Router router;
    model::HubConfig config;
    config.routes = {route("all", "FROM /messages/* INTO $upstream")};
    CHECK(router.configure(config, own).empty());
    const auto leaf = model::Identity::parse("leaf1").value();
    const auto endpoint = router.targets(from_sensor(""), leaf).at(0).endpoint;
    CHECK(is_upstream(endpoint));
    CHECK(upstream_sender(endpoint) == leaf);
    CHECK_FALSE(upstream_sender("edge1/filter/in").has_value());
    CHECK_FALSE(upstream_sender("iothub//").has_value());
}

TEST_CASE("messages without time to live last for ever when the configuration says so") {
    Router router;
    model::HubConfig config;
    config.time_to_live_seconds = std::nullopt;
    config.routes = {route("all", "FROM /messages/* INTO $upstream")};
    CHECK(router.configure(config, own).empty());
    CHECK_FALSE(router.targets(from_sensor(""), sensor).at(0).time_to_live.has_value());
}

TEST_CASE("a route that does not compile is named with its column, the others are in force") {
    Router router;
    model::HubConfig config;
    config.routes = {route("bad", "FROM /messages/* WHERE INTO $upstream"),
                     route("good", "FROM /messages/* INTO $upstream")};
    const auto problems = router.configure(config, own);
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].where == "bad");
    CHECK_MESSAGE(problems[0].text.starts_with("route 'bad': column "), problems[0].text);
    CHECK(router.size() == 1);
    CHECK(router.targets(from_sensor("out"), sensor).size() == 1);
}
