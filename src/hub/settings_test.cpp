#include "hub/settings.hpp"

#include <doctest/doctest.h>

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
    CHECK(with("MaxConnectedClients", "1").value().authentication == AuthenticationMode::scope);
    CHECK(with("authenticationmode", "cloud").value().authentication == AuthenticationMode::cloud);
    CHECK(with("AuthenticationMode", "CloudAndScope").value().authentication == AuthenticationMode::cloud_and_scope);
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
    const std::pair<const char*, const char*> wrong[] = {
        {"MaxConnectedClients", "many"},
        {"MaxConnectedClients", "0"},
        {"SKERRY_MQTT_PORT", "65536"},
        {"SKERRY_INPUT_WINDOW", "-1"},
        {"DeviceScopeCacheRefreshRateSecs", "1e3"},
        {"mqttSettings__MaxKeepAliveTimeout", "10"},
        {"mqttSettings__MaxKeepAliveTimeout", "00:61:00"},
        {"ClientCertAuthEnabled", "yes"},
        {"AuthenticationMode", "Edge"},
        {"SKERRY_DURABILITY", "ssd"},
        {"SKERRY_STORE_POLICY", "drop"},
        {"SKERRY_STORE_MAX_AGE", "0"},
        {"SKERRY_STORE_MAX_AGE", "0:00:00"},
        {"SKERRY_STORE_MAX_AGE", "1:60:00"},
        {"SKERRY_MQTT_PLAIN_LISTEN", "1883"},
        {"SKERRY_MQTT_PLAIN_LISTEN", "127.0.0.1:x"},
    };
    for (const auto& [name, value] : wrong) {
        const auto settings = with(name, value);
        REQUIRE_FALSE_MESSAGE(settings.has_value(), name, "=", value);
        CHECK(settings.error().code == Errc::malformed);
        CHECK_MESSAGE(settings.error().text.contains(name), settings.error().text);
    }
}

TEST_CASE("MQTT without TLS is served on loopback only") {
    CHECK(with("SKERRY_MQTT_PLAIN_LISTEN", "127.0.0.1:1883").value().mqtt.plain_listen->second == 1883);
    CHECK(with("SKERRY_MQTT_PLAIN_LISTEN", "[::1]:1883").value().mqtt.plain_listen->first == "::1");
    for (const auto* open : {"0.0.0.0:1883", "192.168.1.4:1883", ":1883", "[::]:1883"})
        CHECK_FALSE_MESSAGE(with("SKERRY_MQTT_PLAIN_LISTEN", open), open);
}
