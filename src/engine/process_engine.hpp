// The engine of plain processes: an image name is a bundle folder on this disk, a module a process group under a shim.
//
// Promises: what engine.hpp says. A module's pid, start time and boot id are on disk before its program runs; its
//           output, exit status and listening sockets live in its shim, so a new engine finds them all again. An exit
//           status that nobody saw (power cut, killed shim) is absent, and the description says so.
// Bounds:   1024 modules; 2 log files of `log_bytes` each per module.
#pragma once

#include "engine/engine.hpp"
#include "platform/platform.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace skerry::engine {

struct ProcessEngineOptions {
    std::filesystem::path state;    // ours: one folder per module
    std::filesystem::path bundles;  // see docs/formats/bundle.md
    // Started as `<shim> module-shim`.
    std::filesystem::path shim{"/proc/self/exe"};
    // Where a module's sockets are: the folder that it sees as /var/run/iotedge. Unset: modules see the host's.
    std::function<std::filesystem::path(std::string_view name)> socket_folder;
    // A module's own files; seen at the same path.
    std::function<std::filesystem::path(std::string_view name)> storage_folder;
    std::uint64_t log_bytes{5 * 1024 * 1024};
    // The mounted cgroup hierarchies; elsewhere in tests. Empty: no limits can be applied.
    std::filesystem::path proc{"/proc"};
};

// Adopts what runs in `state`. A module's sockets (4 at most) are held by its shim from its next start on, so that
// clients can go on connecting while the daemon is away.
[[nodiscard]] Result<std::unique_ptr<Engine>> make_process_engine(ProcessEngineOptions options, Platform platform);

}  // namespace skerry::engine
