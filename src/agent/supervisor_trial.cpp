// Watches a new deployment for its probation, and lets it pass or fail.
#include "agent/log_tail.hpp"
#include "agent/supervisor.hpp"
#include "base/timeout.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace skerry::agent {

namespace {

constexpr Duration patience_for_logs = std::chrono::seconds(5);
constexpr int agent_tries_allowed = 3;

}  // namespace

// Whether the module was in trouble already as the last good deployment had it: it says nothing about a new one then.
bool Supervisor::failed_before(const std::string& module) const {
    const auto found = std::ranges::find(observed_, module, &model::ModuleStatus::name);
    if (found == observed_.end()) return false;
    if (applied_fingerprint(*found, *deployment_) != deployments_.good_fingerprint(module)) return false;
    if (found->state == model::RuntimeState::running) {
        const auto& last = history_.record(module).last_restart;
        const bool just_restarted = last && parts_.clock.wall() - *last < parts_.settings.probation.window;
        return found->health == model::Health::unhealthy || just_restarted;
    }
    // After a power cut everything is down: only a module's own exit counts.
    const bool by_itself = found->exit_code && *found->exit_code > 0 && *found->exit_code < 128;
    return history_.record(module).restarts > 0 || (found->state == model::RuntimeState::failed && by_itself);
}

void Supervisor::feed(Probation& probation) {
    if (deployments_.guarded())
        for (const auto& status : observed_)
            if (const auto good = deployments_.good_fingerprint(status.name);
                !good.empty() && applied_fingerprint(status, *deployment_) == good)
                deployments_.note_good_image(status.name, status.image_hash);
    for (const auto& status : observed_)
        if (probation.watches(status.name) &&
            applied_fingerprint(status, *deployment_) == fingerprint_of(*deployment_, status.name))
            probation.saw(status);
    note_agent_tries(probation);
    deployments_.note_counts();
}

// What the daemon says of a new agent that it had to replace by us, when it is the one that is wanted.
std::optional<BroughtBack> Supervisor::brought_back() const {
    const auto there = std::ranges::find(observed_, agent_name, &model::ModuleStatus::name);
    if (!deployment_ || there == observed_.end()) return std::nullopt;
    auto back = read_brought_back(*there);
    if (!back || back->fingerprint != fingerprint_of(*deployment_, agent_name)) return std::nullopt;
    return back;
}

// A new agent that never came up has left us, the agent that the daemon falls back to.
void Supervisor::note_agent_tries(Probation& probation) {
    const std::string agent(agent_name);
    const auto wanted = fingerprint_of(*deployment_, agent);
    const auto there = std::ranges::find(observed_, agent, &model::ModuleStatus::name);
    if (!probation.watches(agent) || there == observed_.end() || rolling()) return;
    if (applied_fingerprint(*there, *deployment_) == wanted) return;
    if (const auto back = brought_back()) return probation.give_up(agent, "the new agent failed: " + back->reason);
    if (parts_.clock.steady() < being_replaced_until_ || history_.agent_tries(wanted) < agent_tries_allowed) return;
    probation.give_up(agent, fmt::format("the new agent did not come up in {} tries", history_.agent_tries(wanted)));
}

// Lets the deployment pass or fail, when it is on trial and the time has come.
Task<std::optional<Duration>> Supervisor::judge() {
    if (!deployments_.on_trial()) co_return std::nullopt;
    auto& probation =
        deployments_.probation([this](const std::string& module) { return failed_before(module); },
                               [this](const std::string& module) {
                                   const auto found = std::ranges::find(observed_, module, &model::ModuleStatus::name);
                                   return found != observed_.end() && applied_fingerprint(*found, *deployment_) ==
                                                                          fingerprint_of(*deployment_, module);
                               });
    feed(probation);
    auto verdict = probation.judge(failures_.empty() && !applying(), parts_.clock.steady());
    if (verdict.kind == Probation::Verdict::Kind::passed) deployments_.passed();
    if (verdict.kind != Probation::Verdict::Kind::failed) co_return verdict.again;
    const auto judged = deployment_;
    auto words = co_await last_words_of(verdict.module);
    if (judged != deployment_) co_return std::nullopt;  // a newer one came meanwhile
    deployments_.failed(std::move(verdict.module), std::move(verdict.reason), std::move(words));
    another_in_force();
    co_return std::nullopt;
}

Task<std::string> Supervisor::last_words_of(std::string module) {
    if (module == agent_name)  // our own words say nothing of the one that failed
        if (const auto back = brought_back()) co_return last_words(back->log);
    const bool there = std::ranges::find(observed_, module, &model::ModuleStatus::name) != observed_.end();
    if (!there) co_return std::string();
    const auto frames = co_await with_timeout<std::string>(
        parts_.clock, patience_for_logs, parts_.runtime.log_tail(std::move(module), static_cast<int>(last_lines)));
    co_return frames ? last_words(*frames) : std::string();
}

}  // namespace skerry::agent
