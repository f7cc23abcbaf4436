// When a module that ended is started again: restart policies with back-off, as a pure function.
//
// Promises: the first restart comes about a second after the module ended (one early crash must not cost minutes), the
//           next ones after 10 s, 20 s, 40 s … up to 5 min; a healthy while of running forgets the count. A module that
//           ended well (exit code 0) is started again only under `always`. One that ended while no agent watched is
//           started at once, and that does not count: a reboot is no crash. One that runs but is unhealthy is restarted
//           under `on-unhealthy` and `always`, with the same pauses.
#pragma once

#include "base/clock.hpp"
#include "model/manifest.hpp"
#include "model/module.hpp"

#include <chrono>
#include <optional>
#include <string_view>

namespace skerry::agent {

struct RestartSettings {
    // After so many restarts in a row the module is reported as failed. It stays down then if the operator set the
    // number (`gives_up`); else it is tried again every `longest_delay`, for a device may be out of reach.
    int max_restarts{20};
    bool gives_up{false};
    Duration first_delay{std::chrono::seconds(1)};
    Duration unit{std::chrono::seconds(10)};
    Duration longest_delay{std::chrono::seconds(300)};
    Duration healthy_after{std::chrono::minutes(10)};
};

// The delay before the restart that follows `restarts` earlier ones.
[[nodiscard]] Duration restart_delay(int restarts, const RestartSettings& settings);

// What is known of a module that should run.
struct Health {
    model::RuntimeState state{model::RuntimeState::unknown};
    bool ever_started{false};
    bool held{false};                           // stopped at the manifest's wish, which has changed since
    bool completed{false};                      // it ended with 0 before our eyes
    bool unwatched{false};                      // it ended while no agent was there
    int restarts{0};                            // in a row
    Duration down_for{};                        // since it ended; only when it is down
    Duration up_for{};                          // since it started; only when it runs
    model::Health engine{model::Health::none};  // what its health check says; only when it runs
    Duration unhealthy_for{};                   // only when that is unhealthy
};

struct RestartDecision {
    enum class Action { none, start, restart, revive, recreate, forget } action{Action::none};
    std::string_view status;        // what to report: running, unhealthy, backoff, stopped, failed, dead, unknown
    std::optional<Duration> again;  // when time alone changes the decision
};

[[nodiscard]] RestartDecision decide_restart(const Health& health, model::RestartPolicy policy,
                                             const RestartSettings& settings);

}  // namespace skerry::agent
