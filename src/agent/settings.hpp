// The agent's knobs: the existing runtime's environment variables (agent-and-daemon.md 3.13), read once at the start.
#pragma once

#include "agent/probation.hpp"
#include "agent/restart.hpp"
#include "base/clock.hpp"
#include "daemonapi/ignored_settings.hpp"
#include "daemonapi/workload_client.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace skerry::agent {

struct MetricsSettings {
    bool enabled{true};                   // MetricsEnabled
    std::string address;                  // metrics__listener__host; empty: everywhere
    std::uint16_t port{9600};             // metrics__listener__port
    std::string suffix{"metrics"};        // metrics__listener__suffix, the path
    Duration age{std::chrono::hours(1)};  // MetricsHistogramMaxAge
    // PerformanceMetricsUpdateFrequency, 5 s at least: the daemon is asked what the machine and the modules use.
    Duration measure_every{std::chrono::minutes(5)};
};

// docs/telemetry.md. Off unless it is asked for.
struct TelemetrySettings {
    bool enabled{false};                                  // SendRuntimeQualityTelemetry
    Duration scrape_every{std::chrono::hours(1)};         // MetricScrapeInterval, 10 s at least
    Duration upload_every{std::chrono::hours(24)};        // MetricUploadInterval, 10 s at least
    Duration longest_kept{std::chrono::days(7)};          // MetricMaxUploadAge
    std::string hub_page{"http://edgeHub:9600/metrics"};  // SKERRY_HUB_METRICS
};

struct Settings {
    RestartSettings restart;                  // MaxRestartCount, CoolOffTimeUnitInSeconds, IntensiveCareTimeInMinutes
    Duration refresh{std::chrono::hours(1)};  // ConfigRefreshFrequencySecs: the whole twin is read again
    std::filesystem::path storage{"edgeAgent"};  // StorageFolder/edgeAgent; without it under the working folder

    MetricsSettings metrics;
    TelemetrySettings telemetry;

    // What a deployment says nothing of: SKERRY_ROLLBACK (on, off), SKERRY_PROBATION_SECONDS (0..3600),
    // SKERRY_PROBATION_FAILURES (0..100).
    ProbationPolicy probation;
    // ModuleUpdateMode=WaitForAllPulls: no module is changed before all images are there, whatever the deployment.
    bool wait_for_all_pulls{false};

    // How often a daemon that can't tell of changes is asked for its modules: while something changes, and when all is
    // quiet.
    Duration busy_poll{std::chrono::milliseconds(500)};
    Duration quiet_poll{std::chrono::seconds(2)};
    // How long the daemon may be away before the reported status says so.
    Duration daemon_patience{std::chrono::seconds(15)};

    // A value that is no number in range is logged and replaced by the default.
    [[nodiscard]] static Settings from(const daemonapi::Environment& environment);
};

// Of the existing agent, that have no effect here.
[[nodiscard]] std::span<const daemonapi::IgnoredSetting> ignored_settings();

}  // namespace skerry::agent
