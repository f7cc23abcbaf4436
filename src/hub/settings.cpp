#include "hub/settings.hpp"

#include "hub/settings_reader.hpp"

#include <algorithm>
#include <charconv>

namespace skerry::hub {

namespace {

bool is_loopback(std::string_view host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

// "host:port" or "[v6]:port".
std::optional<std::pair<std::string, std::uint16_t>> parse_endpoint(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    std::uint16_t port = 0;
    const auto* const end = text.data() + text.size();
    const auto [stop, failed] = std::from_chars(text.data() + colon + 1, end, port);
    if (failed != std::errc{} || stop != end) return std::nullopt;
    auto host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    return std::pair(std::string(host), port);
}

void read_plain_listen(SettingsReader& reader, MqttSettings& mqtt) {
    constexpr std::string_view name = "SKERRY_MQTT_PLAIN_LISTEN";
    const auto text = reader.text(name);
    if (!text) return;
    auto endpoint = parse_endpoint(*text);
    if (endpoint && is_loopback(endpoint->first))
        mqtt.plain_listen = std::move(endpoint);
    else
        reader.complain(name, *text, "host:port with a loopback address (127.0.0.1, [::1], localhost)", "TLS only");
}

void read_mqtt(SettingsReader& reader, MqttSettings& mqtt) {
    mqtt.listen_address = reader.text("SKERRY_LISTEN").value_or("");
    // One packet is what one connection may hold in memory: not less than a sensible message, not more than 16 MiB.
    reader.number("SKERRY_MQTT_PORT", mqtt.port, 0, 65535);
    reader.number("mqttSettings__MaxInboundMessageSize", mqtt.largest_packet, 1024, 16 * 1024 * 1024);
    reader.number("mqttSettings__MaxPendingInboundAcknowledgements", mqtt.unacknowledged_publishes, 1, 65535);
    reader.time_span("mqttSettings__ConnectArrivalTimeout", mqtt.connect_arrival);
    reader.time_span("mqttSettings__MaxKeepAliveTimeout", mqtt.longest_keep_alive);
    read_plain_listen(reader, mqtt);
}

void read_http(SettingsReader& reader, HttpSettings& http) {
    reader.flag("httpSettings__enabled", http.enabled);
    reader.number("httpSettings__port", http.port, 0, 65535);
}

// The existing hub's own settings have these names at the top and under metrics:listener.
void read_metrics(SettingsReader& reader, MetricsSettings& metrics, const std::string& listen_address) {
    reader.flag("metrics__listener__MetricsEnabled", metrics.enabled);
    reader.flag("MetricsEnabled", metrics.enabled);
    reader.time_span("metrics__listener__MetricsHistogramMaxAge", metrics.age);
    reader.time_span("MetricsHistogramMaxAge", metrics.age);
    reader.number("httpSettings__metrics_port", metrics.port, 0, 65535);
    reader.number("metrics__listener__port", metrics.port, 0, 65535);
    const auto host = reader.text("metrics__listener__host").value_or("");
    metrics.address = host.empty() || host == "*" || host == "+" ? listen_address : host;
    auto suffix = reader.text("metrics__listener__suffix").value_or(metrics.suffix);
    while (suffix.ends_with('/')) suffix.pop_back();
    metrics.suffix = suffix.substr(std::min(suffix.find_first_not_of('/'), suffix.size()));
}

void read_limits(SettingsReader& reader, Settings& settings) {
    reader.number("MaxConnectedClients", settings.most_clients, 1, 1'000'000);
    reader.number("SKERRY_INPUT_WINDOW", settings.input_window, 1, 10'000);
    reader.number("SKERRY_UPSTREAM_MQTT_PORT", settings.upstream_mqtt_port, 1, 65535);
    reader.number("SKERRY_UPSTREAM_HTTPS_PORT", settings.upstream_https_port, 1, 65535);
    reader.seconds("CloudConnectionIdleTimeoutSecs", settings.cloud_idle, 1);
    bool close_idle = true;
    reader.flag("CloseCloudConnectionOnIdleTimeout", close_idle);
    if (!close_idle) settings.cloud_idle = std::chrono::years(100);
    reader.seconds("DeviceScopeCacheRefreshRateSecs", settings.scope_refresh, 1);
    reader.seconds("DeviceScopeCacheRefreshDelaySecs", settings.scope_refresh_delay, 1);
    reader.seconds("ConfigRefreshFrequencySecs", settings.config_refresh, 1);
    reader.seconds("ReportedPropertiesSyncFrequencySecs", settings.reported_sync, 0);
}

void read_authentication(SettingsReader& reader, Settings& settings) {
    using enum AuthenticationMode;
    reader.flag("ClientCertAuthEnabled", settings.mqtt.ask_for_client_certificate);
    reader.choice("AuthenticationMode", settings.authentication,
                  {{"Scope", scope}, {"Cloud", cloud}, {"CloudAndScope", cloud_and_scope}});
    reader.flag("CacheTokens", settings.cache_tokens);
    reader.flag("NestedEdgeEnabled", settings.nested);
    const auto proxy = reader.text("ApiProxyModuleId");
    if (proxy && model::is_valid_id(*proxy))
        settings.api_proxy = *proxy;
    else if (proxy)
        reader.complain("ApiProxyModuleId", *proxy, "a module's name", settings.api_proxy);
}

void read_store(SettingsReader& reader, Settings& settings) {
    using enum Durability;
    const auto folder = reader.text("StorageFolder");
    settings.folder_is_default = !folder;
    settings.folder = std::filesystem::path(folder.value_or(".")) / "edgeHub";
    // Who wanted messages in memory only had no promise of the disk, and wants it spared.
    bool persistent = true;
    reader.flag("usePersistentStorage", persistent);
    if (!persistent) settings.durability = memory;
    reader.choice("SKERRY_DURABILITY", settings.durability, {{"disk", disk}, {"os", os}, {"memory", memory}});
    reader.choice("SKERRY_STORE_POLICY", settings.store.when_full,
                  {{"refuse", FullPolicy::refuse}, {"drop-oldest", FullPolicy::drop_oldest}});
    reader.age("SKERRY_STORE_MAX_AGE", settings.store.greatest_age);
    settings.store.of_acknowledgements = settings.durability;
}

Result<model::Identity> own_identity(const daemonapi::Environment& environment) {
    auto device = environment.require("IOTEDGE_DEVICEID");
    if (!device) return fail(device.error());
    return model::Identity::module(std::move(*device), environment.value_or("IOTEDGE_MODULEID", "$edgeHub"));
}

// Without these there is nothing to serve, or nobody to serve it as.
struct Required {
    std::string_view name;
    std::string Settings::* target;
};
constexpr Required required[] = {
    {"IOTEDGE_MODULEGENERATIONID", &Settings::generation_id},
    {"IOTEDGE_WORKLOADURI", &Settings::workload_uri},
    {"IOTEDGE_IOTHUBHOSTNAME", &Settings::hub_host},
    {"EDGEDEVICEHOSTNAME", &Settings::edge_host},
};

void read_optional(SettingsReader& reader, Settings& settings) {
    settings.parent_host = reader.text("IOTEDGE_GATEWAYHOSTNAME").value_or("");
    settings.upstream_protocol = reader.text("UpstreamProtocol").value_or("");
    read_mqtt(reader, settings.mqtt);
    read_http(reader, settings.http);
    read_metrics(reader, settings.metrics, settings.mqtt.listen_address);
    read_authentication(reader, settings);
    read_limits(reader, settings);
    read_store(reader, settings);
}

}  // namespace

Result<Settings> read_settings(const daemonapi::Environment& environment) {
    auto own = own_identity(environment);
    if (!own) return fail(own.error().while_doing("reading IOTEDGE_DEVICEID and IOTEDGE_MODULEID"));
    Settings settings(std::move(*own));
    for (const auto& each : required) {
        auto value = environment.require(each.name);
        if (!value) return fail(value.error());
        settings.*each.target = std::move(*value);
    }
    SettingsReader reader(environment);
    read_optional(reader, settings);
    settings.complaints = reader.take_complaints();
    return settings;
}

std::vector<std::string> setting_names() {
    const daemonapi::Environment nothing({});
    SettingsReader reader(nothing);
    Settings settings(*model::Identity::module("device", "$edgeHub"));
    read_optional(reader, settings);
    auto names = reader.names();
    for (const auto& each : required) names.emplace_back(each.name);
    names.insert(names.end(), {"IOTEDGE_DEVICEID", "IOTEDGE_MODULEID"});
    return names;
}

}  // namespace skerry::hub
