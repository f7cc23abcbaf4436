// Everything that helps to find out what is wrong with a device, as one zip archive that is made while it is sent
// (agent-and-daemon.md 5.3).
//
//   logs/<module>_log.txt   inspect/<module>.json   modules.json   network/<network>.json   logs/<service>.txt
//   check.json   systeminfo.json   resources.json   config.json
//
// inspect/ and network/ are what a container engine says, as `docker inspect` prints it; of a plain process inspect/ is
// what the management API says. logs/<service>.txt is the daemon's own log (own_log.hpp). check.json is what
// `skerry check -o json` says, made in the daemon itself, in 25 s at most: what it had no time for it calls skipped.
//
// Promises: no secrets: values of environment variables, and settings whose names sound like keys or passwords, are
//           replaced by "****". (What modules write to their logs is theirs.) What can't be read is said in place of
//           it, and hides nothing else.
// Bounds:   64 KB of log at a time and the archive's state (256 KB); 512 MB per log, 1,000 modules, 100 networks. Two
// at
//           a time; see ManagementApi.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "codec/http.hpp"
#include "daemon/own_log.hpp"
#include "engine/engine.hpp"
#include "platform/platform.hpp"

#include <boost/json/object.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace skerry::daemon {

struct BundleOptions {
    std::optional<WallTime> since;
    std::optional<WallTime> until;
    bool edge_runtime_only{false};  // edgeAgent and edgeHub
};

// The query of GET /systeminfo/supportbundle: since, until, edge_runtime_only; host and iothub_hostname, which the
// existing daemon takes for its checks, are taken and have no effect. Errc::malformed "invalid parameter: <name>".
[[nodiscard]] Result<BundleOptions> parse_bundle_query(const codec::HttpRequest& request, WallTime now);

struct BundleSources {
    Platform platform;
    engine::Engine& engine;
    std::filesystem::path home;
    std::filesystem::path config;
    Duration process_uptime{};
    OwnLog own_log{};
};

// What next_chunk of an HttpResponse is to be: pieces of some 64 KB.
[[nodiscard]] std::function<Task<std::optional<std::string>>()> stream_bundle(BundleSources sources,
                                                                              BundleOptions options);

// The document without what must not leave the device. Pure.
[[nodiscard]] boost::json::object redacted(const boost::json::object& document);

}  // namespace skerry::daemon
