// A deployment that was accepted: the manifest, what each module of it is to look like in the engine, and how to tell
// whether a module of the engine is that already.
//
// Promises: make_spec adds to a module's environment what the SDKs need to find their hub (agent-and-daemon.md 5.6); of
//           a name in both, what identifies the module wins over the manifest, the manifest wins over the rest.
//           The fingerprint covers what would be applied and nothing else, so it changes only when the module must.
#pragma once

#include "agent/plan.hpp"
#include "daemonapi/workload_client.hpp"
#include "model/manifest.hpp"
#include "model/module.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::agent {

inline constexpr std::string_view spec_label = "net.skerry.spec";
inline constexpr std::string_view agent_options_label = "net.azure-devices.edge.create-options";
inline constexpr std::string_view agent_env_label = "net.azure-devices.edge.env";
// On what comes back: the id of the image that it had, for its tag may have been moved since. Our daemon knows it.
inline constexpr std::string_view image_label = "net.skerry.image";
inline constexpr std::string_view original_image_label = "net.azure-devices.edge.original-image";

// What the agent's own environment says of the device; modules get their part of it.
struct DeviceFacts {
    std::string device_id;
    std::string hub_host;     // IOTEDGE_IOTHUBHOSTNAME
    std::string parent_host;  // IOTEDGE_GATEWAYHOSTNAME of the agent: set when nested
    std::string device_host;  // EdgeDeviceHostName: where modules find this device's hub
    std::string management_uri;
    std::string workload_listen_uri;
    std::string api_version;
    std::string network_id;
    std::string upstream_protocol;
    std::string log_level;
    std::vector<model::RegistryCredential> registries;  // DockerRegistryAuth__n__…: for what no deployment names

    // Errc::not_found names the variable that is missing.
    [[nodiscard]] static Result<DeviceFacts> from(const daemonapi::Environment& environment);
};

struct Deployment {
    std::int64_t version{0};
    boost::json::object desired;                // as the twin has it
    std::string digest;                         // of that, by content
    bool restored{false};                       // it comes back after another one failed: its images are on the device
    std::map<std::string, std::string> images;  // their ids then, by module
    model::Manifest manifest;
    std::vector<DesiredModule> modules;  // edgeAgent and edgeHub too

    [[nodiscard]] const model::ManifestModule* find(std::string_view name) const;
};

// `desired` as the twin has it.
[[nodiscard]] std::expected<std::shared_ptr<const Deployment>, model::ManifestError> make_deployment(
    const boost::json::object& desired, std::int64_t version, const DeviceFacts& facts);

// What `module` of this deployment is to look like; "" when it has none.
[[nodiscard]] std::string fingerprint_of(const Deployment& deployment, std::string_view module);

// {"NAME":{"value":"…"}}, as manifests and reports have it.
[[nodiscard]] boost::json::object env_json(const std::map<std::string, std::string>& env);

// "$edgeHub" for "edgeHub", "filter" for "filter".
[[nodiscard]] std::string identity_of(std::string_view module);

[[nodiscard]] std::string fingerprint(const model::ManifestModule& module, const DeviceFacts& facts);
[[nodiscard]] model::ModuleSpec make_spec(const model::ManifestModule& module, const model::Manifest& manifest,
                                          const DeviceFacts& facts, std::string_view generation_id);

// Has the daemon make it of that image, wherever its tag points to.
void choose_image(model::ModuleSpec& spec, const std::string& id);

// The label that a daemon puts on an agent that it brought back, because the one after it did not prove itself.
inline constexpr std::string_view brought_back_label = "net.skerry.brought-back";
struct BroughtBack {
    std::string fingerprint;  // of the one that failed
    std::string reason;
    std::string log;  // its last lines
};
[[nodiscard]] std::optional<BroughtBack> read_brought_back(const model::ModuleStatus& agent);

// The fingerprint that lies on a module of the engine. An agent that the daemon started from its own configuration has
// none; it counts as `wanted` when image, createOptions and environment are the manifest's.
[[nodiscard]] std::string applied_fingerprint(const model::ModuleStatus& status, const Deployment& deployment);

}  // namespace skerry::agent
