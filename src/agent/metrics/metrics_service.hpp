// The agent's metrics at work: what is looked at, asked for and served.
//
//   supervisor's looks --> Availability --+
//   daemon's /systeminfo/resources -------+--> Metrics --> page() --> http://<agent>:9600/metrics
//   CountingRuntime, twin, methods -------+
//
// Promises: a port that is taken is told once and asked for again every 10 s; nothing else depends on it.
// Threads:  the loop's.
#pragma once

#include "agent/deployment.hpp"
#include "agent/metrics/metrics.hpp"
#include "agent/runtime.hpp"
#include "agent/settings.hpp"
#include "metrics/process.hpp"
#include "net/http_listener.hpp"
#include "platform/platform.hpp"

#include <string>
#include <vector>

namespace skerry::agent {

class MetricsService {
public:
    struct Parts {
        Platform platform;
        const Settings& settings;
        const DeviceFacts& facts;
        ModuleRuntime& runtime;
        std::string version;  // of this program; empty: the daemon's
    };
    explicit MetricsService(Parts parts);

    [[nodiscard]] Metrics& metrics() { return metrics_; }
    void looked(const Deployment& deployment, const std::vector<model::ModuleStatus>& observed);
    void describe(const boost::json::object& system_info);
    [[nodiscard]] std::string page() const;

    void listen();
    [[nodiscard]] std::uint16_t port() const { return listener_.port(); }
    // Asks the daemon, first after a minute; runs until cancelled.
    [[nodiscard]] Task<> keep_measuring();
    // Await it before destruction, when the agent stops in order.
    [[nodiscard]] Task<> close();

private:
    [[nodiscard]] Task<codec::HttpResponse> answer(codec::HttpRequest request);

    Parts parts_;
    Metrics metrics_;
    Availability availability_;
    metrics::Process process_;
    net::HttpListener listener_;
    bool described_{false};
};

}  // namespace skerry::agent
