// `skerry up`: a cloud, a device with daemon, agent and hub, and sample modules, all on this machine, watched live.
#pragma once

#include "base/clock.hpp"
#include "base/event.hpp"
#include "base/task.hpp"
#include "cli/up/layout.hpp"
#include "cli/up/world.hpp"
#include "platform/platform.hpp"

#include <filesystem>
#include <optional>

namespace skerry::cli {

struct UpOptions {
    Layout layout;
    World world{World::direct};
    std::filesystem::path executable;  // started as cloud and daemon
    std::optional<Duration> run_for;   // absent: until `stop`
};

// The exit status: 0 when everything started and nothing was lost, else 1 with the reason on stderr.
[[nodiscard]] Task<int> run_up(UpOptions options, Platform platform, Event& stop);

}  // namespace skerry::cli
