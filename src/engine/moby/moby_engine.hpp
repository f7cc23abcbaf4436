// The engine of containers: a Moby (Docker) engine, or Podman's compatible service, over its unix socket.
//
// Promises: what engine.hpp says. Containers outlive us; ours are told by the owner label of the existing runtime, so
//           that either runtime finds what the other made. The engine may go and come back at any time: calls then fail
//           with Errc::unreachable, and wait_change tells when it is there again.
//           An image that is here already is enough when its registry can't be reached.
// Bounds:   one connection for events; a pull and a log that is followed have one each.
#pragma once

#include "engine/engine.hpp"
#include "engine/moby/container_body.hpp"
#include "engine/registry/verifier.hpp"
#include "platform/platform.hpp"

#include <boost/json/object.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::engine {

struct MobyEngineOptions {
    std::filesystem::path socket{"/var/run/docker.sock"};
    // Modules join it unless their createOptions choose another; it is made if missing. Empty: the engine's default.
    std::string network{"azure-iot-edge"};
    boost::json::object network_settings;                          // of the network that we make: EnableIPv6, IPAM
    std::string host_name;                                         // edgeHub's second name on the network
    bool may_be_elevated{true};                                    // allow_elevated_docker_permissions
    std::optional<moby::LogLimits> log_limits{moby::LogLimits{}};  // where neither createOptions nor the engine set any
    std::function<void(const std::string& id, ImageUse use)> on_image_use;
    registry::VerifierOptions signatures;  // which images may run
    // On the host: seen as /var/run/iotedge, the folder as such, so that a socket made anew is seen. Unset: none.
    std::function<std::filesystem::path(std::string_view name)> socket_folder;
    // On the host: seen as /var/lib/skerry by the modules that have one.
    std::function<std::optional<std::filesystem::path>(std::string_view name)> storage_folder;
    std::filesystem::path proc{"/proc"};
};

// Await open() before anything else.
[[nodiscard]] std::unique_ptr<Engine> make_moby_engine(MobyEngineOptions options, Platform platform);

}  // namespace skerry::engine
