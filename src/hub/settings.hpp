// The hub's knobs, from its environment: the existing hub's names (without case, ':' written "__"), and SKERRY_… for
// what is new. Values are checked once, here. docs/hub-settings.md is for those who set them.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "daemonapi/ignored_settings.hpp"
#include "daemonapi/workload_client.hpp"
#include "hub/queue/queue_store.hpp"
#include "model/identity.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::hub {

struct MqttSettings {
    std::string listen_address;  // SKERRY_LISTEN, of every head; empty: every address
    std::uint16_t port{8883};    // SKERRY_MQTT_PORT
    // SKERRY_MQTT_PLAIN_LISTEN=host:port, loopback only: MQTT without TLS, for measurements.
    std::optional<std::pair<std::string, std::uint16_t>> plain_listen;
    std::size_t largest_packet{262144};                     // mqttSettings:MaxInboundMessageSize
    std::size_t unacknowledged_publishes{256};              // mqttSettings:MaxPendingInboundAcknowledgements
    Duration connect_arrival{std::chrono::minutes(1)};      // mqttSettings:ConnectArrivalTimeout, as h:mm:ss
    Duration longest_keep_alive{std::chrono::minutes(10)};  // mqttSettings:MaxKeepAliveTimeout
    bool ask_for_client_certificate{true};                  // ClientCertAuthEnabled
};

struct HttpSettings {
    bool enabled{true};       // httpSettings:enabled
    std::uint16_t port{443};  // httpSettings:port
};

struct MetricsSettings {
    bool enabled{true};                   // MetricsEnabled
    std::string address;                  // metrics:listener:host; as SKERRY_LISTEN when not set
    std::uint16_t port{9600};             // metrics:listener:port, or httpSettings:metrics_port
    std::string suffix{"metrics"};        // metrics:listener:suffix, the path
    Duration age{std::chrono::hours(1)};  // MetricsHistogramMaxAge, as h:mm:ss
};

// Who decides about a client's token (edge-hub.md 8.1): the scope as known here, the cloud, or the cloud when the scope
// does not know better. Certificates are always the scope's.
enum class AuthenticationMode { scope, cloud, cloud_and_scope };

struct Settings {
    explicit Settings(model::Identity identity) : own(std::move(identity)) {}

    model::Identity own;  // "<device>/$edgeHub"
    std::string generation_id;
    std::string workload_uri;
    std::string hub_host;          // IOTEDGE_IOTHUBHOSTNAME
    std::string parent_host;       // IOTEDGE_GATEWAYHOSTNAME; empty: no parent
    std::string edge_host;         // EDGEDEVICEHOSTNAME
    std::filesystem::path folder;  // of all state
    bool folder_is_default{false};

    // SKERRY_DURABILITY=disk|os|memory, of routes that ask for none, and of acknowledgements.
    Durability durability{Durability::disk};
    // SKERRY_STORE_POLICY=refuse|drop-oldest; SKERRY_STORE_MAX_AGE, as h:mm:ss or in seconds. The twin has the size.
    QueueLimits store;

    MqttSettings mqtt;
    HttpSettings http;
    MetricsSettings metrics;
    AuthenticationMode authentication{AuthenticationMode::scope};  // AuthenticationMode=Scope|Cloud|CloudAndScope
    bool cache_tokens{false};                                      // CacheTokens
    bool nested{true};                                             // NestedEdgeEnabled
    std::string api_proxy{"IoTEdgeAPIProxy"};                      // ApiProxyModuleId
    std::size_t most_clients{100};                                 // MaxConnectedClients
    std::size_t input_window{128};                          // SKERRY_INPUT_WINDOW: deliveries without ack, per input
    std::string upstream_protocol;                          // UpstreamProtocol
    std::uint16_t upstream_mqtt_port{8883};                 // SKERRY_UPSTREAM_MQTT_PORT
    std::uint16_t upstream_https_port{443};                 // SKERRY_UPSTREAM_HTTPS_PORT
    Duration cloud_idle{std::chrono::hours(1)};             // CloudConnectionIdleTimeoutSecs
    Duration scope_refresh{std::chrono::hours(1)};          // DeviceScopeCacheRefreshRateSecs
    Duration scope_refresh_delay{std::chrono::minutes(1)};  // DeviceScopeCacheRefreshDelaySecs, per id
    Duration config_refresh{std::chrono::hours(1)};         // ConfigRefreshFrequencySecs
    Duration reported_sync{std::chrono::seconds(5)};        // ReportedPropertiesSyncFrequencySecs
    Duration own_report_pause{std::chrono::seconds(1)};  // whatever happens meanwhile is one report of the hub itself

    std::vector<std::string> complaints;  // about values that can't be used, for the log

    // Where upstream connections go.
    [[nodiscard]] const std::string& dial_host() const { return parent_host.empty() ? hub_host : parent_host; }
};

// A value that can't be used is replaced by the default, with a complaint. Errors: only what the agent sets (the
// identity, hosts, the daemon's address) must be there; they name the variable.
[[nodiscard]] Result<Settings> read_settings(const daemonapi::Environment& environment);
// Of all variables that read_settings() looks at.
[[nodiscard]] std::vector<std::string> setting_names();

// Of the existing hub, that have no effect here.
[[nodiscard]] std::span<const daemonapi::IgnoredSetting> ignored_settings();

}  // namespace skerry::hub
