// config.toml: the keys of the existing runtime, and the section [skerry].
//
// Promises: what a Config holds is valid. All problems are reported at once, each with its key's path; secrets never.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "daemon/agent_trial.hpp"
#include "daemon/image_config.hpp"
#include "model/module.hpp"
#include "storage/files.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::daemon {

struct EdgeCaConfig {
    std::optional<std::filesystem::path> certificate;  // preloaded, with its key
    std::optional<std::filesystem::path> key;
    std::string common_name;  // empty: "aziot-edge CA <device id>"
    int days{90};
    int renew_at_percent{80};
    bool rotate_key{false};
};

// [moby_runtime]
struct MobyConfig {
    std::filesystem::path socket{"/var/run/docker.sock"};
    std::string network{"azure-iot-edge"};
    boost::json::object network_settings;  // as the engine takes them: EnableIPv6, IPAM
};

struct Config {
    std::string hostname;
    std::string parent_hostname;  // empty: the hub is our parent
    std::string hub_host;
    std::string device_id;
    std::string device_key;                                // raw bytes; empty: read it from device_key_file
    std::optional<std::filesystem::path> device_key_file;  // base64, or raw bytes
    std::optional<std::filesystem::path> trust_bundle;
    std::optional<std::filesystem::path> imported_master_key;
    std::optional<std::filesystem::path> additional_info;  // TOML; its keys are told with GET /systeminfo

    model::ModuleSpec agent;
    std::string management_uri{"unix:///var/run/iotedge/mgmt.sock"};     // what clients connect to
    std::string management_listen{"unix:///var/run/iotedge/mgmt.sock"};  // unix://… or fd://…
    std::string workload_listen;               // one socket for all modules, as older runtimes have it; empty: none
    std::optional<unsigned> watchdog_retries;  // absent: infinite
    AgentTrial::Limits agent_trial;
    EdgeCaConfig edge_ca;
    std::size_t management_connections{50};
    std::size_t workload_connections{10};

    std::filesystem::path home{"/var/lib/aziot/edged"};
    std::filesystem::path bundles;   // default: <home>/bundles
    std::optional<MobyConfig> moby;  // modules are containers; absent: plain processes
    bool may_be_elevated{true};      // allow_elevated_docker_permissions
    ImageGarbageConfig image_garbage;
    std::optional<engine::moby::LogLimits> log_limits;
    engine::registry::TrustPolicy image_policy;

    std::filesystem::path file;  // that it was read from
    std::vector<std::string> warnings;
};

// Pure. `host_name` is the machine's.
[[nodiscard]] Result<Config> parse_config(std::string_view toml, std::string_view host_name);

// Reads the file and what it points to (the device's key).
[[nodiscard]] Result<Config> load_config(storage::Files& files, const std::filesystem::path& path);

// The path in "unix:///path"; Errc::malformed for anything else.
[[nodiscard]] Result<std::filesystem::path> unix_path(std::string_view uri);

}  // namespace skerry::daemon
