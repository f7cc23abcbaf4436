// The agent's deployment manifest: the desired properties of $edgeAgent (agent-and-daemon.md 1), read whole or not at
// all.
#pragma once

#include "base/result.hpp"
#include "model/module.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <expected>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::model {

enum class DesiredStatus { running, stopped };
enum class RestartPolicy { never, on_failure, on_unhealthy, always };  // in ascending order of eagerness
[[nodiscard]] std::string_view name_of(DesiredStatus status);
[[nodiscard]] std::string_view name_of(RestartPolicy policy);
[[nodiscard]] std::string_view name_of(PullPolicy policy);  // "on-create", "never"

inline constexpr std::uint32_t last_startup_order = std::numeric_limits<std::uint32_t>::max();

struct ManifestModule {
    std::string name;  // the manifest's key: "edgeHub", "filter"
    std::string type{"docker"};
    std::string version;
    DesiredStatus status{DesiredStatus::running};
    RestartPolicy restart_policy{RestartPolicy::on_unhealthy};
    PullPolicy pull_policy{PullPolicy::on_create};
    std::uint32_t startup_order{last_startup_order};
    std::string image;                   // normalised: with a tag, $upstream replaced
    boost::json::object create_options;  // as written, pieces joined
    std::optional<std::string> digest;
    std::map<std::string, std::string> env;
};

struct RegistryCredential {
    std::string address;  // $upstream replaced
    std::string username;
    std::string password;
};

// deploymentPolicy: how a deployment proves itself and what happens when it fails (docs/safe-deployments.md). What is
// absent is as the agent's own settings say.
struct DeploymentPolicy {
    std::optional<bool> rollback;
    std::optional<std::uint32_t> probation_seconds;  // 0..3600
    std::optional<std::uint32_t> failures_allowed;   // 0..100
};

inline constexpr std::uint32_t longest_probation_seconds = 3600;
inline constexpr std::uint32_t most_failures_allowed = 100;

struct Manifest {
    std::string schema_version;
    std::string runtime_type{"docker"};
    std::string min_docker_version;  // carried and reported, never enforced
    std::string logging_options;
    std::map<std::string, RegistryCredential> registry_credentials;
    std::optional<ManifestModule> agent;            // systemModules.edgeAgent
    std::optional<ManifestModule> hub;              // systemModules.edgeHub; absent means: remove the hub
    std::map<std::string, ManifestModule> modules;  // without the system modules
    DeploymentPolicy policy;
};

// Why a manifest can't be used. The code is what lastDesiredStatus reports: 400 format, 412 schema version, 417 nothing
// there. The text names the module and the field: "modules.filter.settings.image: 'a:b:c' is no image reference …".
struct ManifestError {
    int code{400};
    std::string text;
};

// Members that start with '$' are the twin's and ignored, unknown ones too. `parent_host` replaces $upstream in images
// and registry addresses (IOTEDGE_GATEWAYHOSTNAME); empty when there is none.
[[nodiscard]] std::expected<Manifest, ManifestError> parse_manifest(const boost::json::object& desired,
                                                                    std::string_view parent_host);

// " repo/x " -> "repo/x:latest"; the rules of 1.3.
[[nodiscard]] Result<std::string> normalise_image(std::string_view image, std::string_view parent_host);

// createOptions, createOptions01, … (at most 100 pieces) or one object. Errc::malformed names the piece.
[[nodiscard]] Result<boost::json::object> read_create_options(const boost::json::object& settings);
// Sets createOptions, createOptions01, … with at most 512 bytes each, cut between characters.
void write_create_options(const boost::json::object& options, boost::json::object& settings);
// Whether both mean the same to a container engine: "Privileged": false equals absent, and so do null, 0 and an empty
// HostConfig.
[[nodiscard]] bool same_create_options(const boost::json::object& a, const boost::json::object& b);

}  // namespace skerry::model
