#include "agent/restart.hpp"

#include <algorithm>
#include <cstdint>

namespace skerry::agent {

namespace {

using Action = RestartDecision::Action;
using model::RestartPolicy;
using model::RuntimeState;

RestartDecision decide_unhealthy(const Health& health, RestartPolicy policy, const RestartSettings& settings) {
    const bool worn_out = health.restarts >= settings.max_restarts;
    const std::string_view status = worn_out ? "failed" : "unhealthy";
    const bool acts = policy == RestartPolicy::on_unhealthy || policy == RestartPolicy::always;
    if (!acts) return {.action = Action::none, .status = "unhealthy", .again = {}};
    if (worn_out && settings.gives_up) return {.action = Action::none, .status = status, .again = {}};
    const auto delay = restart_delay(health.restarts, settings);
    if (health.unhealthy_for >= delay) return {.action = Action::revive, .status = status, .again = {}};
    return {.action = Action::none, .status = status, .again = delay - health.unhealthy_for};
}

RestartDecision decide_running(const Health& health, const RestartSettings& settings) {
    if (health.restarts == 0) return {.action = Action::none, .status = "running", .again = {}};
    if (health.up_for >= settings.healthy_after) return {.action = Action::forget, .status = "running", .again = {}};
    return {.action = Action::none, .status = "running", .again = settings.healthy_after - health.up_for};
}

RestartDecision decide_after_end(const Health& health, const RestartSettings& settings) {
    const bool worn_out = health.restarts >= settings.max_restarts;
    const std::string_view status = worn_out ? "failed" : "backoff";
    if (worn_out && settings.gives_up) return {.action = Action::none, .status = status, .again = {}};
    const auto delay = restart_delay(health.restarts, settings);
    if (health.down_for >= delay) return {.action = Action::restart, .status = status, .again = {}};
    return {.action = Action::none, .status = status, .again = delay - health.down_for};
}

RestartDecision decide_ended(const Health& health, RestartPolicy policy, const RestartSettings& settings) {
    const auto as_it_is = health.state == RuntimeState::failed ? "failed" : "stopped";
    if (!health.ever_started || health.held) return {.action = Action::start, .status = "stopped", .again = {}};
    if (policy == RestartPolicy::never) return {.action = Action::none, .status = as_it_is, .again = {}};
    if (health.unwatched) return {.action = Action::start, .status = as_it_is, .again = {}};
    if (policy == RestartPolicy::always || health.state == RuntimeState::failed)
        return decide_after_end(health, settings);
    if (health.completed) return {.action = Action::none, .status = "stopped", .again = {}};
    // It was stopped from outside while nobody supervised it (the runtime was shut down, the machine rebooted).
    return {.action = Action::start, .status = "stopped", .again = {}};
}

}  // namespace

Duration restart_delay(int restarts, const RestartSettings& settings) {
    if (restarts <= 0) return std::min(settings.first_delay, settings.unit);
    const auto doublings = std::min(restarts - 1, 16);
    return std::min(settings.longest_delay, settings.unit * (std::int64_t{1} << doublings));
}

RestartDecision decide_restart(const Health& health, RestartPolicy policy, const RestartSettings& settings) {
    switch (health.state) {
        case RuntimeState::running:
            if (health.engine == model::Health::unhealthy) return decide_unhealthy(health, policy, settings);
            return decide_running(health, settings);
        case RuntimeState::dead: return {.action = Action::recreate, .status = "dead", .again = {}};
        case RuntimeState::unknown: return {.action = Action::none, .status = "unknown", .again = {}};
        case RuntimeState::stopped:
        case RuntimeState::failed: return decide_ended(health, policy, settings);
    }
    return {.action = Action::none, .status = "unknown", .again = {}};
}

}  // namespace skerry::agent
