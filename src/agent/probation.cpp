#include "agent/probation.hpp"

#include "agent/report.hpp"

#include <fmt/format.h>
#include <boost/json/value.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace skerry::agent {

namespace json = boost::json;

namespace {

using model::RuntimeState;

constexpr std::size_t longest_reason = 512;

std::string how_it_ended(const model::ModuleStatus& status) {
    if (status.state == RuntimeState::dead) return "it is dead";
    auto text = status.exit_code ? fmt::format("it ended with exit code {}", *status.exit_code)
                                 : std::string("it ended without an exit code");
    if (!status.description.empty()) text += fmt::format(" ({})", status.description);
    return text;
}

std::string times_text(const std::string& what, int times) {
    return times == 1 ? what : fmt::format("{}, {} times", what, times);
}

}  // namespace

ProbationPolicy ProbationPolicy::with(const model::DeploymentPolicy& policy) const {
    auto result = *this;
    if (policy.rollback) result.rollback = *policy.rollback;
    if (policy.probation_seconds) result.window = std::chrono::seconds(*policy.probation_seconds);
    if (policy.failures_allowed) result.failures_allowed = static_cast<int>(*policy.failures_allowed);
    return result;
}

void Probation::watch(const std::string& module, model::RestartPolicy policy, bool there_before) {
    changed_ = true;
    auto& watched = watched_[module];
    watched.policy = policy;
    watched.past_unknown = there_before;
}

void Probation::resume(const json::object& counts) {
    for (auto& [name, watched] : watched_) {
        watched.past_unknown = true;
        const auto* entry = counts.if_contains(name);
        if (entry == nullptr || !entry->is_object()) continue;
        const auto* failures = entry->as_object().if_contains("failures");
        const auto* last = entry->as_object().if_contains("last");
        if (failures == nullptr || !failures->is_int64() || last == nullptr || !last->is_string()) continue;
        watched.failures = static_cast<int>(std::clamp<std::int64_t>(failures->as_int64(), 0, 1'000'000));
        watched.last = last->as_string();
    }
}

json::object Probation::to_json() const {
    json::object result;
    for (const auto& [name, watched] : watched_)
        result[name] = json::object{{"failures", watched.failures}, {"last", watched.last}};
    return result;
}

void Probation::count(Watched& watched, const std::string& what) {
    watched.failures = std::min(watched.failures + 1, 1'000'000);
    watched.last = shortened(what, longest_reason);
    changed_ = true;
}

void Probation::saw(const model::ModuleStatus& status) {
    const auto found = watched_.find(status.name);
    if (found == watched_.end()) return;
    auto& watched = found->second;
    const bool known = !std::exchange(watched.past_unknown, false);
    const bool failed = status.state == RuntimeState::failed || status.state == RuntimeState::dead;
    const auto health = status.state == RuntimeState::running ? status.health : model::Health::none;
    if (known && failed && (!watched.down || watched.exited != status.exited)) count(watched, how_it_ended(status));
    if (known && health == model::Health::unhealthy && watched.health != health) count(watched, "it is unhealthy");
    watched.down = failed;
    watched.exited = status.exited;
    watched.health = health;
}

void Probation::started(const std::string& module) {
    const auto found = watched_.find(module);
    if (found == watched_.end()) return;
    found->second.down = false;
    found->second.past_unknown = false;
    found->second.health = model::Health::none;
}

void Probation::could_not(const std::string& module, const std::string& what) {
    const auto found = watched_.find(module);
    if (found != watched_.end()) count(found->second, what);
}

void Probation::give_up(const std::string& module, const std::string& why) {
    const auto found = watched_.find(module);
    if (found == watched_.end()) return;
    found->second.given_up = true;
    found->second.last = why;
}

Probation::Verdict Probation::judge(bool carried_out, SteadyTime now) {
    using Kind = Verdict::Kind;
    for (const auto& [name, watched] : watched_) {
        if (watched.given_up) return {.kind = Kind::failed, .module = name, .reason = watched.last, .again = {}};
        if (watched.failures > policy_.failures_allowed)
            return {.kind = Kind::failed,
                    .module = name,
                    .reason = times_text(watched.last, watched.failures),
                    .again = {}};
    }
    if (!carried_out) return {};
    if (!began_) began_ = now;
    const auto window = watched_.empty() ? Duration{} : policy_.window;
    if (const auto passed = now - *began_; passed < window)
        return {.module = {}, .reason = {}, .again = window - passed};
    const bool doubted_long = now - *began_ >= window + longest_doubt;
    bool doubt = false;
    for (const auto& [name, watched] : watched_) {
        const bool ill = watched.health == model::Health::unhealthy || watched.health == model::Health::starting;
        if (!watched.down && !ill) continue;
        doubt = true;
        const bool for_good = watched.down && watched.policy == model::RestartPolicy::never;
        if (!doubted_long && !for_good) continue;
        const auto* state = watched.down ? "it is still down" : "it does not become healthy";
        auto reason = watched.last.empty() ? std::string(state)
                                           : fmt::format("{}; {}", times_text(watched.last, watched.failures), state);
        if (for_good) reason += ", and its restart policy is never";
        return {.kind = Kind::failed, .module = name, .reason = std::move(reason), .again = {}};
    }
    if (doubt) return {};
    return {.kind = Kind::passed, .module = {}, .reason = {}, .again = {}};
}

}  // namespace skerry::agent
