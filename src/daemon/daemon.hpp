// The role `skerry daemon`: keys, certificates, identities, the engine, and the two APIs over unix sockets.
#pragma once

#include "base/event.hpp"
#include "base/task.hpp"
#include "platform/platform.hpp"

#include <cstdint>
#include <filesystem>

namespace skerry::daemon {

struct Options {
    std::filesystem::path config{"/etc/aziot/config.toml"};
    // Modules outlive the daemon, unless whoever started it wants an orderly end of everything: then the agent is
    // stopped first, the others after it in parallel, 10 s grace each.
    bool stop_modules_on_exit{false};
    std::filesystem::path shim{"/proc/self/exe"};  // started as `<shim> module-shim`
    std::uint16_t hub_port{443};                   // of the hub's (or parent's) REST surface
};

// What systemd is told not to restart on.
inline constexpr int exit_bad_config = 153;
// After POST /device/reprovision: start me again.
inline constexpr int exit_reprovision = 154;

// Runs until `stop` is set. The exit status: 0, exit_bad_config, exit_reprovision, or 1 for what stopped it.
[[nodiscard]] Task<int> run_daemon(Options options, Platform platform, Event& stop);

}  // namespace skerry::daemon
