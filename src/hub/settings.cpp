#include "hub/settings.hpp"

#include "base/encoding.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>

namespace skerry::hub {

namespace {

class Reader {
public:
    explicit Reader(const daemonapi::Environment& environment) : environment_(environment) {}

    // Sets `out` when the variable is there; `smallest` and `largest` are inclusive.
    template <class T>
    Result<> number(std::string_view name, T& out, std::uint64_t smallest, std::uint64_t largest) const {
        const auto text = value_of(name);
        if (!text) return {};
        std::uint64_t value = 0;
        const auto* const end = text->data() + text->size();
        const auto [stop, failed] = std::from_chars(text->data(), end, value);
        if (failed != std::errc{} || stop != end || value < smallest || value > largest)
            return fail(Errc::malformed,
                        fmt::format("{} is '{}'; it must be a number from {} to {}", name, *text, smallest, largest));
        out = static_cast<T>(value);
        return {};
    }

    Result<> seconds(std::string_view name, Duration& out, std::uint64_t smallest) const {
        std::uint64_t value = 0;
        if (!value_of(name)) return {};
        auto read = number(name, value, smallest, 365ULL * 24 * 3600);
        if (read) out = std::chrono::seconds(value);
        return read;
    }

    // "h:mm:ss", as .NET writes a TimeSpan.
    Result<> time_span(std::string_view name, Duration& out) const {
        const auto text = value_of(name);
        if (!text) return {};
        const auto span = parse_span(*text, 23);
        if (!span) return fail(Errc::malformed, fmt::format("{} is '{}'; it must be hh:mm:ss", name, *text));
        out = *span;
        return {};
    }

    // As h:mm:ss, with any number of hours, or in seconds; from a second to ten years.
    Result<> age(std::string_view name, std::optional<std::chrono::seconds>& out) const {
        constexpr unsigned most_hours = 10 * 365 * 24;
        const auto text = value_of(name);
        if (!text) return {};
        if (text->find(':') == std::string::npos) {
            std::uint64_t seconds = 0;
            auto read = number(name, seconds, 1, std::uint64_t{most_hours} * 3600);
            if (read) out = std::chrono::seconds(seconds);
            return read;
        }
        out = parse_span(*text, most_hours);
        if (out && out->count() > 0) return {};
        return fail(Errc::malformed, fmt::format("{} is '{}'; it must be h:mm:ss or a number of seconds, and more than "
                                                 "none",
                                                 name, *text));
    }

    // One of a few words, each with its value.
    template <class T>
    Result<> choice(std::string_view name, T& out,
                    std::initializer_list<std::pair<std::string_view, T>> choices) const {
        const auto text = value_of(name);
        if (!text) return {};
        std::string words;
        for (const auto& [word, value] : choices) {
            if (equals_ignoring_case(*text, word)) {
                out = value;
                return {};
            }
            words += (words.empty() ? "" : " or ") + std::string(word);
        }
        return fail(Errc::malformed, fmt::format("{} is '{}'; it must be {}", name, *text, words));
    }

    Result<> flag(std::string_view name, bool& out) const {
        const auto text = value_of(name);
        if (!text) return {};
        if (equals_ignoring_case(*text, "true"))
            out = true;
        else if (equals_ignoring_case(*text, "false"))
            out = false;
        else
            return fail(Errc::malformed, fmt::format("{} is '{}'; it must be true or false", name, *text));
        return {};
    }

    // Empty counts as not set, as the existing hub does.
    std::optional<std::string> value_of(std::string_view name) const {
        auto text = environment_.find(name);
        if (text && text->empty()) return std::nullopt;
        return text;
    }

private:
    static std::optional<std::chrono::seconds> parse_span(std::string_view text, unsigned most_hours) {
        unsigned parts[3] = {};
        const char* at = text.data();
        const char* const end = at + text.size();
        for (int i = 0; i < 3; ++i) {
            const auto [stop, failed] = std::from_chars(at, end, parts[i]);
            const bool last = i == 2;
            if (failed != std::errc{} || parts[i] > (i == 0 ? most_hours : 59U) ||
                (last ? stop != end : stop == end || *stop != ':'))
                return std::nullopt;
            at = stop + 1;
        }
        return std::chrono::hours(parts[0]) + std::chrono::minutes(parts[1]) + std::chrono::seconds(parts[2]);
    }

    const daemonapi::Environment& environment_;
};

bool is_loopback(std::string_view host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

Result<> read_plain_listen(const Reader& reader, MqttSettings& mqtt) {
    constexpr std::string_view name = "SKERRY_MQTT_PLAIN_LISTEN";
    const auto text = reader.value_of(name);
    if (!text) return {};
    const auto colon = text->rfind(':');
    std::uint16_t port = 0;
    const auto* const end = text->data() + text->size();
    if (colon == std::string::npos)
        return fail(Errc::malformed, fmt::format("{} is '{}'; it must be host:port", name, *text));
    const auto [stop, failed] = std::from_chars(text->data() + colon + 1, end, port);
    if (failed != std::errc{} || stop != end)
        return fail(Errc::malformed, fmt::format("{} is '{}'; its port must be a number up to 65535", name, *text));
    auto host = text->substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (!is_loopback(host))
        return fail(Errc::malformed, fmt::format("{} is '{}'; connections without TLS are served on loopback addresses "
                                                 "only (127.0.0.1, ::1, localhost)",
                                                 name, *text));
    mqtt.plain_listen = {host, port};
    return {};
}

Result<> read_mqtt(const Reader& reader, MqttSettings& mqtt) {
    mqtt.listen_address = reader.value_of("SKERRY_LISTEN").value_or("");
    // One packet is what one connection may hold in memory: not less than a sensible message, not more than 16 MiB.
    for (const auto& read : {
             reader.number("SKERRY_MQTT_PORT", mqtt.port, 0, 65535),
             reader.number("mqttSettings__MaxInboundMessageSize", mqtt.largest_packet, 1024, 16 * 1024 * 1024),
             reader.number("mqttSettings__MaxPendingInboundAcknowledgements", mqtt.unacknowledged_publishes, 1, 65535),
             reader.time_span("mqttSettings__ConnectArrivalTimeout", mqtt.connect_arrival),
             reader.time_span("mqttSettings__MaxKeepAliveTimeout", mqtt.longest_keep_alive),
             read_plain_listen(reader, mqtt),
         })
        if (!read) return read;
    return {};
}

Result<> read_http(const Reader& reader, HttpSettings& http) {
    if (auto read = reader.flag("httpSettings__enabled", http.enabled); !read) return read;
    return reader.number("httpSettings__port", http.port, 0, 65535);
}

// The existing hub's own settings have these names at the top and under metrics:listener.
Result<> read_metrics(const Reader& reader, MetricsSettings& metrics, const std::string& listen_address) {
    for (const auto& read : {
             reader.flag("metrics__listener__MetricsEnabled", metrics.enabled),
             reader.flag("MetricsEnabled", metrics.enabled),
             reader.time_span("metrics__listener__MetricsHistogramMaxAge", metrics.age),
             reader.time_span("MetricsHistogramMaxAge", metrics.age),
             reader.number("httpSettings__metrics_port", metrics.port, 0, 65535),
             reader.number("metrics__listener__port", metrics.port, 0, 65535),
         })
        if (!read) return read;
    const auto host = reader.value_of("metrics__listener__host").value_or("");
    metrics.address = host.empty() || host == "*" || host == "+" ? listen_address : host;
    auto suffix = reader.value_of("metrics__listener__suffix").value_or(metrics.suffix);
    while (suffix.ends_with('/')) suffix.pop_back();
    metrics.suffix = suffix.substr(std::min(suffix.find_first_not_of('/'), suffix.size()));
    return {};
}

Result<> read_limits(const Reader& reader, Settings& settings) {
    for (const auto& read : {
             reader.number("MaxConnectedClients", settings.most_clients, 1, 1'000'000),
             reader.number("SKERRY_INPUT_WINDOW", settings.input_window, 1, 10'000),
             reader.number("SKERRY_UPSTREAM_MQTT_PORT", settings.upstream_mqtt_port, 1, 65535),
             reader.number("SKERRY_UPSTREAM_HTTPS_PORT", settings.upstream_https_port, 1, 65535),
             reader.seconds("CloudConnectionIdleTimeoutSecs", settings.cloud_idle, 1),
             reader.seconds("DeviceScopeCacheRefreshRateSecs", settings.scope_refresh, 1),
             reader.seconds("DeviceScopeCacheRefreshDelaySecs", settings.scope_refresh_delay, 1),
             reader.seconds("ConfigRefreshFrequencySecs", settings.config_refresh, 1),
             reader.seconds("ReportedPropertiesSyncFrequencySecs", settings.reported_sync, 0),
         })
        if (!read) return read;
    return {};
}

Result<> read_authentication(const Reader& reader, Settings& settings) {
    using enum AuthenticationMode;
    if (auto read = reader.flag("ClientCertAuthEnabled", settings.mqtt.ask_for_client_certificate); !read) return read;
    return reader.choice("AuthenticationMode", settings.authentication,
                         {{"Scope", scope}, {"Cloud", cloud}, {"CloudAndScope", cloud_and_scope}});
}

Result<> read_store(const Reader& reader, Settings& settings) {
    using enum Durability;
    for (const auto& read : {
             reader.choice("SKERRY_DURABILITY", settings.durability, {{"disk", disk}, {"os", os}, {"memory", memory}}),
             reader.choice("SKERRY_STORE_POLICY", settings.store.when_full,
                           {{"refuse", FullPolicy::refuse}, {"drop-oldest", FullPolicy::drop_oldest}}),
             reader.age("SKERRY_STORE_MAX_AGE", settings.store.greatest_age),
         })
        if (!read) return read;
    settings.store.of_acknowledgements = settings.durability;
    return {};
}

Result<model::Identity> own_identity(const daemonapi::Environment& environment) {
    auto device = environment.require("IOTEDGE_DEVICEID");
    if (!device) return fail(device.error());
    return model::Identity::module(std::move(*device), environment.value_or("IOTEDGE_MODULEID", "$edgeHub"));
}

}  // namespace

Result<Settings> read_settings(const daemonapi::Environment& environment) {
    const Reader reader(environment);
    auto own = own_identity(environment);
    if (!own) return fail(own.error().while_doing("reading IOTEDGE_DEVICEID and IOTEDGE_MODULEID"));
    Settings settings(std::move(*own));

    const std::pair<std::string_view, std::string*> required[] = {
        {"IOTEDGE_MODULEGENERATIONID", &settings.generation_id},
        {"IOTEDGE_WORKLOADURI", &settings.workload_uri},
        {"IOTEDGE_IOTHUBHOSTNAME", &settings.hub_host},
        {"EDGEDEVICEHOSTNAME", &settings.edge_host},
    };
    for (const auto& [name, target] : required) {
        auto value = environment.require(name);
        if (!value) return fail(value.error());
        *target = std::move(*value);
    }
    settings.parent_host = environment.value_or("IOTEDGE_GATEWAYHOSTNAME", "");
    settings.upstream_protocol = environment.value_or("UpstreamProtocol", "");

    const auto folder = reader.value_of("StorageFolder");
    settings.folder_is_default = !folder;
    settings.folder = std::filesystem::path(folder.value_or(".")) / "edgeHub";

    if (auto read = read_mqtt(reader, settings.mqtt); !read) return fail(read.error());
    if (auto read = read_http(reader, settings.http); !read) return fail(read.error());
    if (auto read = read_metrics(reader, settings.metrics, settings.mqtt.listen_address); !read)
        return fail(read.error());
    if (auto read = read_authentication(reader, settings); !read) return fail(read.error());
    if (auto read = read_limits(reader, settings); !read) return fail(read.error());
    if (auto read = read_store(reader, settings); !read) return fail(read.error());
    return settings;
}

}  // namespace skerry::hub
