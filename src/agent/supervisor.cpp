// The loop: look, plan, have it done, look again. The rest is in supervisor_commands.cpp, supervisor_trial.cpp and
// supervisor_report.cpp.
#include "agent/supervisor.hpp"

#include "agent/waiting.hpp"
#include "base/log.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace skerry::agent {

namespace {

using namespace std::chrono_literals;

constexpr Duration after_acting = 100ms;  // what a command did shows soon
constexpr Duration shortest_pause = 20ms;
constexpr Duration until_something_changes = 24h;

const DesiredModule* wanted_in(const PlanInput& input, const std::string& module) {
    const auto found = std::ranges::find(input.desired, module, &DesiredModule::name);
    return found == input.desired.end() ? nullptr : &*found;
}

const ObservedModule* there_in(const PlanInput& input, const std::string& module) {
    const auto found = input.observed.find(module);
    return found == input.observed.end() ? nullptr : &found->second;
}

// Whether no command would change the module, however the last one ended.
bool is_deployed(const PlanInput& input, const std::string& module) {
    const auto* wanted = wanted_in(input, module);
    const auto* there = there_in(input, module);
    if (wanted == nullptr) return there == nullptr && !input.leaving.contains(module);
    if (there == nullptr || there->fingerprint != wanted->fingerprint) return false;
    if (there->health.state == model::RuntimeState::dead) return false;
    return wanted->running || there->health.state != model::RuntimeState::running;
}

bool runs_as_wanted(const PlanInput& input, const std::string& module) {
    const auto* wanted = wanted_in(input, module);
    const auto* there = there_in(input, module);
    if (wanted == nullptr || !wanted->running) return true;
    if (there == nullptr || there->health.engine == model::Health::unhealthy) return false;
    return there->health.state == model::RuntimeState::running;
}

bool same_look(const std::vector<model::ModuleStatus>& a, const std::vector<model::ModuleStatus>& b) {
    return std::ranges::equal(a, b, [](const model::ModuleStatus& one, const model::ModuleStatus& other) {
        return one.name == other.name && one.state == other.state && one.started == other.started &&
               one.exited == other.exited && one.health == other.health && one.exit_code == other.exit_code &&
               one.description == other.description;
    });
}

}  // namespace

Supervisor::Supervisor(Parts parts)
    : parts_(std::move(parts)),
      history_(parts_.store.load_history()),
      rollout_{.runner = {parts_.runtime, parts_.facts, parts_.own_generation}, .commands = {}, .scope = {}},
      reviving_{.runner = {parts_.runtime, parts_.facts, parts_.own_generation}, .commands = {}, .scope = {}},
      deployments_({.store = parts_.store,
                    .facts = parts_.facts,
                    .clock = parts_.clock,
                    .executor = parts_.executor,
                    .defaults = parts_.settings.probation,
                    .patience = parts_.settings.daemon_patience,
                    .on_saved = [this] { wake_.set(); }}),
      observed_anew_(parts_.executor),
      wake_(parts_.executor) {}

void Supervisor::take_desired(const boost::json::object& desired, std::int64_t version) {
    if (deployments_.take(desired, version)) {
        another_in_force();
        deploying_since_ = parts_.clock.steady();
    }
    parts_.on_state_changed();
}

void Supervisor::another_in_force() {
    deployment_ = deployments_.in_force();
    planned_ = false;
    prepared_.clear();
    failures_.clear();
    // A slow fetch of what may not be wanted any more is given up; everything else ends in order and then stops.
    const auto* current = rollout_.runner.current();
    if (rollout_.scope && current != nullptr && std::holds_alternative<Prepare>(*current)) rollout_.scope->cancel();
    wake_.set();
}

void Supervisor::cloud_is_back() {
    failures_.retry_deploying(parts_.clock.steady());
    wake_.set();
}

bool Supervisor::knows(const std::string& module) const {
    return std::ranges::find(observed_, module, &model::ModuleStatus::name) != observed_.end();
}

std::string Supervisor::version_of(const std::string& module) const {
    const auto* wanted = deployment_ ? deployment_->find(module) : nullptr;
    return wanted == nullptr ? std::string() : wanted->version;
}

Task<> Supervisor::keep_running() {
    for (;;) {
        const auto pause = co_await look();
        co_await wait_at_most(parts_.clock, wake_, std::max(pause, shortest_pause));
    }
}

// Wakes the loop when the daemon tells of a change. What it can't tell is asked for after a while.
Task<> Supervisor::keep_watching() {
    for (;;) {
        co_await observed_anew_.wait();
        observed_anew_.reset();
        if (observed_tag_.empty()) continue;
        const auto since = parts_.clock.steady();
        const auto changed = co_await parts_.runtime.wait_change(observed_tag_);
        const bool at_once = parts_.clock.steady() - since < parts_.settings.busy_poll;
        if (!changed || (!*changed && at_once)) co_await parts_.clock.sleep(parts_.settings.busy_poll);
        wake_.set();
    }
}

Task<> Supervisor::close() {
    for (auto* background : {&rollout_, &reviving_}) {
        if (background->scope) co_await background->scope->close();
        background->scope.reset();
    }
}

Task<Duration> Supervisor::look() {
    if (co_await deployments_.load()) another_in_force();
    auto listed = co_await parts_.runtime.list();
    if (!listed) {
        daemon_is_away(listed.error());
        co_return parts_.settings.busy_poll;
    }
    if (std::exchange(daemon_away_since_, std::nullopt)) failures_.retry_deploying(parts_.clock.steady());
    const bool quiet = same_look(observed_, listed->modules);
    observed_ = std::move(listed->modules);
    observed_tag_ = std::move(listed->tag);
    observed_anew_.set();
    looked_ = true;
    if (system_info_.empty()) co_await read_system_info();
    if (!deployment_) {
        parts_.on_state_changed();
        co_return deployments_.loaded() ? patience() : parts_.settings.busy_poll;
    }
    plan_ = plan(plan_input());
    planned_ = true;
    const auto judged = co_await judge();
    if (planned_) co_await act();  // else there is another deployment now
    save_history();
    tell_watchers();
    parts_.on_state_changed();
    if (!quiet || !plan_.commands.empty() || !planned_) co_return after_acting;
    const auto longest = patience();
    co_return std::min({longest, plan_.again.value_or(longest), judged.value_or(longest)});
}

// How long to wait for something to happen by itself.
Duration Supervisor::patience() const {
    if (!observed_tag_.empty()) return until_something_changes;
    return rolling() ? parts_.settings.busy_poll : parts_.settings.quiet_poll;
}

void Supervisor::tell_watchers() {
    if (parts_.on_looked && planned_) parts_.on_looked(*deployment_, observed_);
    if (!deploying_since_ || applying() || !failures_.empty()) return;
    const auto took = parts_.clock.steady() - *std::exchange(deploying_since_, std::nullopt);
    if (parts_.on_deployed && !deployments_.rolled_back()) parts_.on_deployed(took);
}

Task<> Supervisor::read_system_info() {
    auto info = co_await parts_.runtime.system_info();
    if (info)
        system_info_ = std::move(*info);
    else
        log::debug("The daemon does not tell about its machine: {}", info.error().text);
}

void Supervisor::daemon_is_away(const Error& why) {
    if (!daemon_away_since_) {
        log::warn("The daemon does not answer; the modules are left as they are: {}", why.text);
        daemon_away_since_ = parts_.clock.steady();
    }
    daemon_error_ = why.text;
    parts_.on_state_changed();
}

PlanInput Supervisor::plan_input() {
    const auto at = now();
    PlanInput input{.desired = deployment_->modules,
                    .observed = {},
                    .held = {},
                    .busy = {},
                    .leaving = deployments_.guarded() ? std::set<std::string>() : history_.leaving(),
                    .restart = parts_.settings.restart,
                    .whole = deployments_.guarded() || (parts_.settings.wait_for_all_pulls && !deployment_->restored),
                    .prepared = prepared_};
    for (const auto* background : {&rollout_, &reviving_})
        for (const auto& command : background->commands) input.busy.insert(module_of(command));
    history_.prune([this](const std::string& name) { return deployment_->find(name) != nullptr || knows(name); });
    for (const auto& status : observed_)
        input.observed[status.name] = {.fingerprint = applied_fingerprint(status, *deployment_),
                                       .health = history_.observe(status, at)};
    failures_.settle([&](const std::string& module) { return is_deployed(input, module); },
                     [&](const std::string& module) { return runs_as_wanted(input, module); });
    input.held = failures_.held(at.steady);
    for (const auto& module : deployment_->modules)
        if (module.name == agent_name) {
            auto& held = input.held[module.name].deploying;
            held = std::max(held, history_.agent_holdback(module.fingerprint, parts_.settings.restart, at));
            if (brought_back()) held = std::max(held, until_something_changes);
        }
    return input;
}

void Supervisor::save_history() {
    if (!history_.take_changed()) return;
    if (const auto saved = parts_.store.save_history(history_); !saved)
        log::warn("Saving the history of the modules failed: {}", saved.error().text);
}

}  // namespace skerry::agent
