// The agent's knobs: the existing runtime's environment variables (agent-and-daemon.md 3.13), read once at the start.
#pragma once

#include "agent/probation.hpp"
#include "agent/restart.hpp"
#include "base/clock.hpp"
#include "daemonapi/workload_client.hpp"

#include <chrono>
#include <filesystem>

namespace skerry::agent {

struct Settings {
    RestartSettings restart;                  // MaxRestartCount, CoolOffTimeUnitInSeconds, IntensiveCareTimeInMinutes
    Duration refresh{std::chrono::hours(1)};  // ConfigRefreshFrequencySecs: the whole twin is read again
    std::filesystem::path storage{"edgeAgent"};  // StorageFolder/edgeAgent; without it under the working folder

    // What a deployment says nothing of: SKERRY_ROLLBACK (on, off), SKERRY_PROBATION_SECONDS (0..3600),
    // SKERRY_PROBATION_FAILURES (0..100).
    ProbationPolicy probation;
    // ModuleUpdateMode=WaitForAllPulls: no module is changed before all images are there, whatever the deployment.
    bool wait_for_all_pulls{false};

    // How often the daemon is asked for its modules: while something changes, and when all is quiet.
    Duration busy_poll{std::chrono::milliseconds(500)};
    Duration quiet_poll{std::chrono::seconds(2)};
    // How long the daemon may be away before the reported status says so.
    Duration daemon_patience{std::chrono::seconds(15)};

    // A value that is no number in range is logged and replaced by the default.
    [[nodiscard]] static Settings from(const daemonapi::Environment& environment);
};

}  // namespace skerry::agent
