#include "hub/settings.hpp"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <fstream>
#include <map>
#include <set>

using namespace skerry;
using namespace skerry::hub;
using namespace std::chrono_literals;

namespace {
std::map<std::string, std::string> smallest() {
    return {{"IOTEDGE_DEVICEID", "edge1"},
            {"IOTEDGE_MODULEID", "$edgeHub"},
            {"IOTEDGE_MODULEGENERATIONID", "7"},
            {"IOTEDGE_WORKLOADURI", "unix:///run/w.sock"},
            {"IOTEDGE_IOTHUBHOSTNAME", "hub.example.net"},
            {"EdgeDeviceHostName", "edge.local"}};
}
Result<Settings> with(std::string name, std::string value) {
    auto values = smallest();
    values[std::move(name)] = std::move(value);
    return read_settings(daemonapi::Environment(std::move(values)));
}
}  // namespace

TEST_CASE("what the agent sets is enough, and the rest has the existing hub's defaults") {
    const auto settings = read_settings(daemonapi::Environment(smallest())).value();
    CHECK(settings.own.id() == "edge1/$edgeHub");
    CHECK(settings.edge_host == "edge.local");
    CHECK(settings.dial_host() == "hub.example.net");
    CHECK(settings.mqtt.port == 8883);
    CHECK(settings.mqtt.largest_packet == 262144);
    CHECK(settings.http.enabled);
    CHECK(settings.http.port == 443);
    CHECK(settings.metrics.enabled);
    CHECK(settings.metrics.port == 9600);
    CHECK(settings.metrics.suffix == "metrics");
    CHECK(settings.most_clients == 100);
    CHECK(settings.scope_refresh == 1h);
    CHECK(settings.durability == Durability::disk);
    CHECK(settings.store.when_full == FullPolicy::refuse);
    CHECK_FALSE(settings.store.greatest_age);
    CHECK(settings.folder_is_default);
    CHECK(settings.folder == std::filesystem::path("./edgeHub"));
}

TEST_CASE("names are found without case, nested ones with two underscores") {
    CHECK(with("MQTTSETTINGS__MAXINBOUNDMESSAGESIZE", "65536").value().mqtt.largest_packet == 65536);
    CHECK(with("mqttSettings__ConnectArrivalTimeout", "00:01:30").value().mqtt.connect_arrival == 90s);
    CHECK(with("httpSettings__port", "8443").value().http.port == 8443);
    CHECK(with("httpSettings__metrics_port", "9601").value().metrics.port == 9601);
    CHECK(with("metrics__listener__port", "9602").value().metrics.port == 9602);
    CHECK(with("metrics__listener__suffix", "/m/").value().metrics.suffix == "m");
    CHECK(with("metrics__listener__host", "*").value().metrics.address.empty());
    CHECK_FALSE(with("MetricsEnabled", "false").value().metrics.enabled);
    CHECK(with("MetricsHistogramMaxAge", "00:30:00").value().metrics.age == 30min);
    CHECK_FALSE(with("httpSettings__enabled", "false").value().http.enabled);
    CHECK(with("storagefolder", "/var/lib/x").value().folder == std::filesystem::path("/var/lib/x/edgeHub"));
    CHECK(with("IOTEDGE_GATEWAYHOSTNAME", "parent").value().dial_host() == "parent");
    CHECK_FALSE(with("ClientCertAuthEnabled", "False").value().mqtt.ask_for_client_certificate);
}

TEST_CASE("how messages are kept can be set") {
    const auto settings = with("SKERRY_DURABILITY", "os").value();
    CHECK(settings.durability == Durability::os);
    CHECK(settings.store.of_acknowledgements == Durability::os);
    CHECK(with("SKERRY_DURABILITY", "Memory").value().durability == Durability::memory);
    CHECK(with("SKERRY_STORE_POLICY", "drop-oldest").value().store.when_full == FullPolicy::drop_oldest);
    CHECK(with("SKERRY_STORE_MAX_AGE", "90").value().store.greatest_age == 90s);
    CHECK(with("SKERRY_STORE_MAX_AGE", "48:00:01").value().store.greatest_age == 48h + 1s);
    CHECK_FALSE(with("StorageFolder", "/var/lib/x").value().folder_is_default);
}

TEST_CASE("what is missing or wrong is named, with what it must be") {
    for (const auto& [name, value] : smallest()) {
        if (name == "IOTEDGE_MODULEID") continue;  // $edgeHub by default
        auto values = smallest();
        values.erase(name);
        const auto settings = read_settings(daemonapi::Environment(std::move(values)));
        REQUIRE_FALSE(settings);
        CHECK_MESSAGE(settings.error().text.contains(name == "EdgeDeviceHostName" ? "EDGEDEVICEHOSTNAME" : name),
                      settings.error().text);
    }
}

TEST_CASE("a value that can't be used is replaced by the default, and the log is told name, value, rule and default") {
    struct Case {
        const char* name;
        const char* value;
        const char* rule;
        const char* used;
    };
    const Case wrong[] = {
        {"MaxConnectedClients", "many", "a whole number from 1 to 1000000", "100"},
        {"MaxConnectedClients", "0", "a whole number from 1 to 1000000", "100"},
        {"SKERRY_MQTT_PORT", "65536", "a whole number from 0 to 65535", "8883"},
        {"SKERRY_INPUT_WINDOW", "-1", "a whole number from 1 to 10000", "128"},
        {"DeviceScopeCacheRefreshRateSecs", "1e3", "a whole number from 1 to 31536000", "3600"},
        {"mqttSettings__MaxKeepAliveTimeout", "10", "hh:mm:ss", "0:10:00"},
        {"mqttSettings__MaxKeepAliveTimeout", "00:61:00", "hh:mm:ss", "0:10:00"},
        {"ClientCertAuthEnabled", "yes", "true or false", "true"},
        {"AuthenticationMode", "None", "Scope or Cloud or CloudAndScope", "Scope"},
        {"NestedEdgeEnabled", "yes", "true or false", "true"},
        {"CacheTokens", "1 ", "true or false", "false"},
        {"ApiProxyModuleId", "a/b", "a module's name", "IoTEdgeAPIProxy"},
        {"usePersistentStorage", "no", "true or false", "true"},
        {"SKERRY_DURABILITY", "ssd", "disk or os or memory", "disk"},
        {"SKERRY_STORE_POLICY", "drop", "refuse or drop-oldest", "refuse"},
        {"SKERRY_STORE_MAX_AGE", "0", "h:mm:ss or a number of seconds, and more than none", "no limit"},
        {"SKERRY_STORE_MAX_AGE", "0:00:00", "h:mm:ss or a number of seconds, and more than none", "no limit"},
        {"SKERRY_STORE_MAX_AGE", "1:60:00", "h:mm:ss or a number of seconds, and more than none", "no limit"},
        {"SKERRY_STORE_MAX_AGE", "99999999999", "h:mm:ss or a number of seconds, and more than none", "no limit"},
        {"SKERRY_MQTT_PLAIN_LISTEN", "1883", "host:port with a loopback address (127.0.0.1, [::1], localhost)",
         "TLS only"},
        {"SKERRY_MQTT_PLAIN_LISTEN", "127.0.0.1:x", "host:port with a loopback address (127.0.0.1, [::1], localhost)",
         "TLS only"},
    };
    const auto usual = read_settings(daemonapi::Environment(smallest())).value();
    CHECK(usual.complaints.empty());
    for (const auto& [name, value, rule, used] : wrong) {
        const auto settings = with(name, value);
        REQUIRE_MESSAGE(settings.has_value(), name);
        REQUIRE_MESSAGE(settings->complaints.size() == 1, name, "=", value);
        CHECK(settings->complaints[0] ==
              fmt::format("{} is '{}', but must be {}: {} is used instead", name, value, rule, used));
        CHECK(settings->most_clients == usual.most_clients);
        CHECK(settings->durability == Durability::disk);
        CHECK(settings->mqtt.longest_keep_alive == 10min);
        CHECK_FALSE(settings->store.greatest_age);
        CHECK_FALSE(settings->mqtt.plain_listen);
    }
    CHECK(with("MaxConnectedClients", "").value().complaints.empty());
}

TEST_CASE("who may come in, and by whose word, is set as on the existing hub") {
    const auto usual = read_settings(daemonapi::Environment(smallest())).value();
    CHECK(usual.nested);
    CHECK_FALSE(usual.cache_tokens);
    CHECK(usual.api_proxy == "IoTEdgeAPIProxy");
    CHECK_FALSE(with("nestededgeenabled", "False").value().nested);
    CHECK(with("CacheTokens", "true").value().cache_tokens);
    CHECK(with("ApiProxyModuleId", "$proxy").value().api_proxy == "$proxy");
}

TEST_CASE("who wanted messages in memory only gets the class that asks least of the disk, unless he says otherwise") {
    CHECK(with("usePersistentStorage", "false").value().durability == Durability::memory);
    auto values = smallest();
    values["usePersistentStorage"] = "false";
    values["SKERRY_DURABILITY"] = "os";
    CHECK(read_settings(daemonapi::Environment(values)).value().durability == Durability::os);
    CHECK(with("CloseCloudConnectionOnIdleTimeout", "false").value().cloud_idle > 24h * 365 * 10);
}

TEST_CASE("a setting without effect is told of when it asks for something else than what happens") {
    const auto told = [](std::map<std::string, std::string> values) {
        std::vector<std::string> names;
        for (const auto* const each :
             daemonapi::ignored_in(ignored_settings(), daemonapi::Environment(std::move(values))))
            names.emplace_back(each->name);
        return names;
    };
    CHECK(told(smallest()).empty());
    CHECK(told({{"STOREANDFORWARDENABLED", "True"}, {"UpstreamFanOutFactor", "20"}, {"SslProtocols", "TLS1.2,tls1.3"}})
              .empty());
    CHECK(told({{"storeAndForwardEnabled", "false"}}) == std::vector<std::string>{"storeAndForwardEnabled"});
    CHECK(told({{"https_proxy", "http://proxy:3128"}, {"routes__r1", "FROM /* INTO $upstream"}}) ==
          std::vector<std::string>{"https_proxy", "routes__*"});
}

// docs/hub-settings.md is what users go by: it names every variable, and none that does not exist.
TEST_CASE("the page about settings lists every setting once") {
    std::ifstream page(SKERRY_SOURCE_DIR "/docs/hub-settings.md");
    REQUIRE(page);
    std::multiset<std::string> listed;
    for (std::string line; std::getline(page, line);) {
        if (!line.starts_with("| `")) continue;
        const auto end = line.find('`', 3);
        listed.insert(line.substr(3, end - 3));
    }
    std::set<std::string> wanted{"RuntimeLogLevel"};  // read by the program, for all its roles
    for (const auto& name : setting_names()) wanted.insert(name);
    for (const auto& ignored : ignored_settings()) {
        CHECK_MESSAGE(!wanted.contains(std::string(ignored.name)), ignored.name);
        wanted.insert(std::string(ignored.name));
    }
    for (const auto& name : wanted) CHECK_MESSAGE(listed.count(name) == 1, name);
    for (const auto& name : listed) CHECK_MESSAGE(wanted.contains(name), name);
}

TEST_CASE("MQTT without TLS is served on loopback only") {
    CHECK(with("SKERRY_MQTT_PLAIN_LISTEN", "127.0.0.1:1883").value().mqtt.plain_listen->second == 1883);
    CHECK(with("SKERRY_MQTT_PLAIN_LISTEN", "[::1]:1883").value().mqtt.plain_listen->first == "::1");
    for (const auto* open : {"0.0.0.0:1883", "192.168.1.4:1883", ":1883", "[::]:1883"})
        CHECK_FALSE_MESSAGE(with("SKERRY_MQTT_PLAIN_LISTEN", open).value().mqtt.plain_listen, open);
}
