// What the agent counts (agent-and-daemon.md 4.4), with the existing agent's names, types and labels.
//
// Promises: commands are counted when they are carried out, not when they are planned. `ms_telemetry` says "True" for
//           what is about the runtime itself, "False" for what is about the user's modules.
// Bounds:   1,000 series per family, then "other"; series of a module that left the deployment go (counters 10 minutes
//           later, for a last scrape).
// Threads:  the loop's.
#pragma once

#include "agent/metrics/availability.hpp"
#include "agent/metrics/resources.hpp"
#include "base/clock.hpp"
#include "metrics/exposition.hpp"
#include "metrics/process.hpp"
#include "metrics/series.hpp"
#include "metrics/summary.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace skerry::agent {

class Metrics {
public:
    // `age`: how old what quantiles are made of may be.
    Metrics(Clock& clock, std::string common_labels, Duration age);

    // `kind`: create, prepareUpdate, update, remove, start, stop, restart.
    void command(std::string_view kind, Duration took);
    void prepared(const std::string& module, const std::string& version) { ++prepared_[{module, version}]; }
    void started(const std::string& module, const std::string& version) { ++started_[{module, version}]; }
    void stopped(const std::string& module, const std::string& version) { ++stopped_[{module, version}]; }
    // The twin was read, or could not be.
    void synced(bool done);
    // From the new deployment to all of it done.
    void deployed(Duration took);
    // `method` is one of the agent's.
    void called(std::string_view method) { ++calls_[{method}]; }

    void measured(Resources resources);
    // Both as JSON texts.
    void describe(std::string agent_version, std::string host);
    // These modules there are; series of all others go.
    void keep(const std::set<std::string>& modules);

    // Forgets what is too old; call it every few seconds.
    void tick();
    [[nodiscard]] std::string text(const Availability& availability,
                                   const std::optional<metrics::ProcessStatus>& process) const;

private:
    struct CpuUse {
        double module{0};
        double machine{0};
    };
    using Counters = metrics::Series<std::uint64_t, 2>;

    void measure_cpu(const ModuleUse& use);
    void write_availability(metrics::Exposition& out, const Availability& availability) const;
    void write_commands(metrics::Exposition& out) const;
    void write_host(metrics::Exposition& out) const;
    void write_modules(metrics::Exposition& out) const;
    void turn();

    Clock& clock_;
    std::string common_labels_;
    Duration turn_every_;
    SteadyTime turned_;

    Counters started_;
    Counters stopped_;
    Counters prepared_;
    metrics::Series<metrics::Summary, 1> commands_;
    metrics::Series<metrics::Summary, 1> cpu_;
    metrics::Series<std::uint64_t, 1> calls_;
    metrics::Summary deployments_;
    std::uint64_t syncs_{0};
    std::uint64_t failed_syncs_{0};
    std::map<std::string, CpuUse> last_cpu_;
    std::map<std::string, SteadyTime> left_;  // modules whose counters are still there
    Resources resources_;
    std::string version_;
    std::string host_;
};

}  // namespace skerry::agent
