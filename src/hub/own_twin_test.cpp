// The hub's own twin, through a whole hub: what a configuration comes to, and what is reported (edge-hub.md 7.4, 7.5).
#include "hub/test_hub.hpp"

#include <doctest/doctest.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

using namespace skerry;
using namespace skerry::hub;
using namespace skerry::hub::testing;
using namespace std::chrono_literals;
namespace wire = codec::mqtt;
namespace json = boost::json;

namespace {

json::object reported(TestHub& hub) {
    const auto& twin = hub.cloud.twins["edge1/$edgeHub"];
    const auto* const reported = twin.if_contains("reported");
    return reported && reported->is_object() ? reported->get_object() : json::object{};
}

// Of the client with this key; empty when it is not listed.
json::object client(TestHub& hub, std::string_view key) {
    const auto all = reported(hub);
    const auto* const clients = all.if_contains("clients");
    const auto* const found = clients && clients->is_object() ? clients->get_object().if_contains(key) : nullptr;
    return found && found->is_object() ? found->get_object() : json::object{};
}

std::string status_of(TestHub& hub, std::string_view key) {
    const auto found = client(hub, key);
    const auto* const status = found.if_contains("status");
    return status && status->is_string() ? std::string(status->get_string()) : "";
}

bool is_time(const json::object& client, std::string_view name) {
    const auto* const time = client.if_contains(name);
    return time && time->is_string() && parse_rfc3339(time->get_string()).has_value();
}

}  // namespace

TEST_CASE("every configuration gets its status, with its version and the names of what is wrong") {
    with_hub([](TestHub& hub) -> Task<> {
        struct Case {
            const char* document;  // without $version
            int code;
            std::vector<const char*> says;
        };
        const Case cases[] = {
            {R"("schemaVersion":"1.0")", 200, {}},
            {R"("schemaVersion":"1.1","routes":{"a":"FROM /* INTO $upstream","b":{"route":"FROM /* INTO $upstream","priority":3,"timeToLiveSecs":60}},"storeAndForwardConfiguration":{"timeToLiveSecs":7200})",
             200,
             {}},
            {R"("schemaVersion":"1.2","routes":{},"storeAndForwardConfiguration":{"storeLimits":{"maxSizeBytes":1000000}},"mqttBroker":{"bridges":[{"endpoint":"$upstream"}]})",
             200,
             {}},
            {R"("schemaVersion":"1.3","routes":{},"storeAndForwardConfiguration":{},"integrity":{"signature":{"bytes":"x"}})",
             200,
             {}},
            {R"("routes":{})", 400, {"missing SchemaVersion"}},
            {R"("schemaVersion":"1.4","routes":{})", 400, {"EdgeHub config contains unsupported SchemaVersion: 1.4"}},
            {R"("schemaVersion":"1.1","storeAndForwardConfiguration":{})", 400, {"routes: is missing"}},
            {R"("schemaVersion":"1.1","routes":{},"storeAndForwardConfiguration":{"timeToLiveSecs":"soon"})",
             400,
             {"storeAndForwardConfiguration.timeToLiveSecs"}},
            {R"("schemaVersion":"1.0","routes":{"good":"FROM /* INTO $upstream","bad":"FROM /* INTO nowhere","worse":7})",
             400,
             {"route 'bad'", "route 'worse'"}},
            {R"("schemaVersion":"1.1","routes":{"far":{"route":"FROM /* INTO $upstream","priority":10}},"storeAndForwardConfiguration":{})",
             400,
             {"route 'far'.priority: must be a whole number in 0..9"}},
            {R"("schemaVersion":"1.0","routes":{"good":"FROM /* INTO $upstream"})", 200, {}},
        };
        int version = 1;
        for (const auto& each : cases) {
            INFO(each.document);
            ++version;
            hub.cloud.set_desired("edge1/$edgeHub", fmt::format("{{{},\"$version\":{}}}", each.document, version));
            hub.go_online();
            co_await hub.eventually([&hub, version] {
                const auto now = reported(hub);
                const auto* const last = now.if_contains("lastDesiredVersion");
                return last && *last == version;
            });
            const auto now = reported(hub);
            CHECK(now.at("lastDesiredStatus").at("code") == each.code);
            const std::string description(now.at("lastDesiredStatus").at("description").as_string());
            CHECK(description.empty() == (each.code == 200));
            if (each.code == 400) CHECK(description.starts_with("Error while parsing desired properties - "));
            for (const auto* const words : each.says) CHECK_MESSAGE(description.contains(words), description);
            CHECK(now.at("schemaVersion") == "1.0");
            for (const auto* const part : {"version", "build", "commit"}) CHECK(now.at("version").at(part).is_string());
        }
    });
}

TEST_CASE("a module that has gone stays listed with both times, a device is left out") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto sensor = co_await hub.connect("edge1/sensor");
        const auto leaf = co_await hub.connect("leaf1");
        co_await hub.eventually(
            [&] { return status_of(hub, "edge1/sensor") == "Connected" && status_of(hub, "leaf1") == "Connected"; });
        CHECK(is_time(client(hub, "edge1/sensor"), "lastConnectedTimeUtc"));
        CHECK_FALSE(client(hub, "edge1/sensor").contains("lastDisconnectedTimeUtc"));
        CHECK(reported(hub).at("clients").as_object().size() == 2);  // not the hub itself

        sensor->drop();
        leaf->drop();
        co_await hub.eventually(
            [&] { return status_of(hub, "edge1/sensor") == "Disconnected" && client(hub, "leaf1").empty(); });
        CHECK(is_time(client(hub, "edge1/sensor"), "lastConnectedTimeUtc"));
        CHECK(is_time(client(hub, "edge1/sensor"), "lastDisconnectedTimeUtc"));

        // Connected again, as if it had never been away.
        const auto again = co_await hub.connect("edge1/sensor");
        co_await hub.eventually([&] { return status_of(hub, "edge1/sensor") == "Connected"; });
        CHECK_FALSE(client(hub, "edge1/sensor").contains("lastDisconnectedTimeUtc"));
    });
}

TEST_CASE("a module that is removed from the device is no longer reported") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto sensor = co_await hub.connect("edge1/sensor");
        const auto filter = co_await hub.connect("edge1/filter");
        filter->drop();
        co_await hub.eventually([&] {
            return status_of(hub, "edge1/sensor") == "Connected" && status_of(hub, "edge1/filter") == "Disconnected";
        });
        std::erase_if(hub.cloud.identities, [](const auto& known) { return known.identity.is_module(); });
        hub.go_online();
        co_await hub.eventually(
            [&] { return client(hub, "edge1/sensor").empty() && client(hub, "edge1/filter").empty(); });
        CHECK_FALSE(co_await sensor->receive());
    });
}

TEST_CASE("clients of an earlier run are not reported any more") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto sensor = co_await hub.connect("edge1/sensor");
        co_await hub.eventually([&] { return status_of(hub, "edge1/sensor") == "Connected"; });
        co_await hub.stop();
        co_await hub.start();
        co_await hub.eventually([&] { return client(hub, "edge1/sensor").empty(); });
    });
}

TEST_CASE("many connections are few reports") {
    with_hub([](TestHub& hub) -> Task<> {
        hub.settings.own_report_pause = 1s;
        co_await hub.stop();
        co_await hub.start();
        for (int n = 0; n < 30; ++n) hub.cloud.identities.push_back(scope_identity(fmt::format("many{}", n)));
        hub.go_online();
        co_await hub.eventually([&hub] { return !hub.cloud.own_reports.empty(); });
        const auto before = hub.cloud.own_reports.size();
        const auto since = hub.clock.steady();
        std::vector<std::unique_ptr<TestClient>> clients;
        for (int n = 0; n < 30; ++n) clients.push_back(co_await hub.connect(fmt::format("many{}", n)));
        co_await hub.eventually([&hub] {
            for (int n = 0; n < 30; ++n)
                if (status_of(hub, fmt::format("many{}", n)) != "Connected") return false;
            return true;
        });
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(hub.clock.steady() - since).count();
        CHECK(hub.cloud.own_reports.size() - before <= static_cast<std::size_t>(seconds) + 2);
    });
}
