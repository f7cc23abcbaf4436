// The hub's own twin: its desired properties are the configuration, its reported ones tell how the hub is
// (edge-hub.md 7.4, 7.5).
//
// Promises: the last known configuration works at start, without network. A route that does not compile is reported
//           with its name (400) while the others flow; a document that can't be used at all leaves the old
//           configuration.
// Bounds:   200 clients are reported; those that have been away longest are left out first.
// Threads:  the loop's.
#pragma once

#include "base/task_scope.hpp"
#include "hub/pumps.hpp"
#include "hub/router.hpp"
#include "hub/twins.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace skerry::hub {

class OwnTwin final : public SessionObserver {
public:
    // `pause`: whatever happens within it is one report.
    OwnTwin(model::Identity own, Twins& twins, Router& router, Pumps& pumps, Clock& clock, Executor executor,
            Duration pause);

    // Applies what is known now; then, from the task run(), every change.
    [[nodiscard]] Task<> apply();
    [[nodiscard]] Task<> run();
    // The twin in Twins has changed; `confirmed`: what it says comes from the cloud in this run.
    void changed(bool confirmed);
    // Called with storeLimits.maxSizeBytes of each configuration that comes into force; 0: none is set.
    void on_size_limit(std::function<void(std::uint64_t bytes)> tell) { size_limit_ = std::move(tell); }
    // Set once a configuration is in force.
    [[nodiscard]] Event& configured() { return configured_; }

    // It is no longer in this device's scope: nothing of it is reported any more.
    void identity_gone(const model::Identity& identity);

    void session_opened(Session& session) override;
    void session_ended(Session& session) override;

private:
    struct Client {
        bool connected{false};
        bool gone{false};  // to be left out when it has disconnected
        std::string last_connected;
        std::string last_disconnected;
    };
    [[nodiscard]] Task<> report();
    [[nodiscard]] boost::json::object wanted() const;
    void forget_longest_away();

    model::Identity own_;
    Twins& twins_;
    Router& router_;
    Pumps& pumps_;
    Clock& clock_;
    Duration pause_;
    std::function<void(std::uint64_t)> size_limit_;
    Event configured_;
    Event news_;  // something to apply or to report
    bool to_apply_{false};
    bool confirmed_{false};
    std::int64_t last_version_{0};
    int status_{0};  // 0: nothing was applied yet
    std::string description_;
    std::map<std::string, Client> clients_;
};

// storeLimits.maxSizeBytes of the last known configuration; 0: none is set. It holds before the twin is read.
[[nodiscard]] Task<std::uint64_t> stored_size_limit(StateStore& state, model::Identity own);

// The key of a client in the twin: '.', '$', '#' and ' ' can't stand in property names.
[[nodiscard]] std::string client_key(std::string_view id);

}  // namespace skerry::hub
