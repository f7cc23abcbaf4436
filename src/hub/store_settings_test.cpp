// What the twin and the environment say about the store, as publishers see it, against a whole hub.
#include "hub/test_hub.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <boost/json/serialize.hpp>

using namespace skerry;
using namespace skerry::hub;
using namespace skerry::hub::testing;
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
