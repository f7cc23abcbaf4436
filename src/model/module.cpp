#include "model/module.hpp"

#include "base/encoding.hpp"

namespace skerry::model {

std::string_view name_of(RuntimeState state) {
    switch (state) {
        case RuntimeState::unknown: return "unknown";
        case RuntimeState::running: return "running";
        case RuntimeState::stopped: return "stopped";
        case RuntimeState::failed: return "failed";
        case RuntimeState::dead: return "dead";
    }
    return "unknown";
}

RuntimeState parse_runtime_state(std::string_view text) {
    for (const auto state : {RuntimeState::running, RuntimeState::stopped, RuntimeState::failed, RuntimeState::dead})
        if (equals_ignoring_case(text, name_of(state))) return state;
    return RuntimeState::unknown;
}

std::string_view name_of(Health health) {
    switch (health) {
        case Health::none: return "none";
        case Health::starting: return "starting";
        case Health::healthy: return "healthy";
        case Health::unhealthy: return "unhealthy";
    }
    return "none";
}

Health parse_health(std::string_view text) {
    for (const auto health : {Health::starting, Health::healthy, Health::unhealthy})
        if (equals_ignoring_case(text, name_of(health))) return health;
    return Health::none;
}

}  // namespace skerry::model
