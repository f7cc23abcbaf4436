#include "agent/supervisor.hpp"

#include "agent/log_tail.hpp"
#include "agent/waiting.hpp"
#include "base/log.hpp"
#include "base/timeout.hpp"

#include <fmt/core.h>
#include <boost/json/value.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace skerry::agent {

namespace {

using namespace std::chrono_literals;

constexpr Duration after_acting = 100ms;  // what a command did shows soon
constexpr Duration shortest_pause = 20ms;
constexpr Duration patience_for_logs = 5s;
constexpr int agent_tries_allowed = 3;
constexpr Duration time_to_be_replaced = 1min;  // by the daemon, which answered first; the new agent deploys the rest

// Modules with a command that changes what exists belong to the rollout, with all their commands.
std::set<std::string> in_rollout(const std::vector<Command>& commands) {
    std::set<std::string> modules;
    for (const auto& command : commands)
        if (!is_supervision(command)) modules.insert(module_of(command));
    return modules;
}

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

// Whether a failure says that the deployment can't be done, rather than that something it needs is out of reach.
bool says_no(const Command& command, const Error& why) {
    if (why.code == Errc::unreachable || std::holds_alternative<EnsureIdentity>(command)) return false;
    if (!std::holds_alternative<Prepare>(command)) return true;
    return why.code == Errc::not_found || why.code == Errc::unauthorized || why.code == Errc::malformed ||
           why.code == Errc::unsupported;
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
      supervising_(parts_.runtime, parts_.facts, parts_.own_generation),
      rollout_{.runner = {parts_.runtime, parts_.facts, parts_.own_generation}, .commands = {}, .scope = {}},
      reviving_{.runner = {parts_.runtime, parts_.facts, parts_.own_generation}, .commands = {}, .scope = {}},
      deployments_({.store = parts_.store,
                    .facts = parts_.facts,
                    .clock = parts_.clock,
                    .executor = parts_.executor,
                    .defaults = parts_.settings.probation,
                    .patience = parts_.settings.daemon_patience,
                    .on_saved = [this] { wake_.set(); }}),
      wake_(parts_.executor) {}

void Supervisor::take_desired(const boost::json::object& desired, std::int64_t version) {
    if (deployments_.take(desired, version)) another_in_force();
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

Task<> Supervisor::keep_running() {
    for (;;) {
        const auto pause = co_await look();
        co_await wait_at_most(parts_.clock, wake_, std::max(pause, shortest_pause));
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
    const bool quiet = same_look(observed_, *listed);
    observed_ = std::move(*listed);
    looked_ = true;
    if (system_info_.empty()) co_await read_system_info();
    if (!deployment_) {
        parts_.on_state_changed();
        co_return deployments_.loaded() ? parts_.settings.quiet_poll : parts_.settings.busy_poll;
    }
    plan_ = plan(plan_input());
    planned_ = true;
    const auto judged = co_await judge();
    if (planned_) co_await act();  // else there is another deployment now
    save_history();
    parts_.on_state_changed();
    if (!quiet || !plan_.commands.empty() || !planned_) co_return after_acting;
    const auto poll = rolling() ? parts_.settings.busy_poll : parts_.settings.quiet_poll;
    co_return std::min({poll, plan_.again.value_or(poll), judged.value_or(poll)});
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
        }
    return input;
}

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
    for (const auto& status : observed_)
        if (probation.watches(status.name) &&
            applied_fingerprint(status, *deployment_) == fingerprint_of(*deployment_, status.name))
            probation.saw(status);
    note_agent_tries(probation);
    deployments_.note_counts();
}

// A new agent that never came up has left us, the agent that the daemon falls back to.
void Supervisor::note_agent_tries(Probation& probation) {
    const std::string agent(agent_name);
    const auto wanted = fingerprint_of(*deployment_, agent);
    const auto there = std::ranges::find(observed_, agent, &model::ModuleStatus::name);
    if (!probation.watches(agent) || there == observed_.end() || rolling()) return;
    if (applied_fingerprint(*there, *deployment_) == wanted) return;
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
    const bool there = std::ranges::find(observed_, module, &model::ModuleStatus::name) != observed_.end();
    if (!there) co_return std::string();
    const auto frames = co_await with_timeout<std::string>(
        parts_.clock, patience_for_logs, parts_.runtime.log_tail(std::move(module), static_cast<int>(last_lines)));
    co_return frames ? last_words(*frames) : std::string();
}

// What keeps modules as they should be is done here and now; what changes them goes to the background.
Task<> Supervisor::act() {
    const auto modules = in_rollout(plan_.commands);
    std::vector<Command> supervision;
    std::vector<Command> deploying;
    std::vector<Command> reviving;
    for (const auto& command : plan_.commands) {
        const bool slow = std::holds_alternative<Revive>(command);
        (slow ? reviving : modules.contains(module_of(command)) ? deploying : supervision).push_back(command);
    }
    const bool replaced_soon = parts_.clock.steady() < being_replaced_until_;
    const bool may_roll = !rolling() && !replaced_soon && deployments_.saved();
    if (!deploying.empty() && may_roll) start_rollout(std::move(deploying));
    if (!reviving.empty() && reviving_.commands.empty()) start_reviving(std::move(reviving));
    if (!supervision.empty())
        co_await supervising_.run(
            std::move(supervision), deployment_,
            [this](const Command& command, const Result<>& result) { return supervised(command, result); });
}

void Supervisor::start_rollout(std::vector<Command> commands) {
    rollout_.commands = commands;
    rollout_.scope = std::make_unique<TaskScope>(parts_.executor);
    rollout_.scope->spawn("rollout", roll_out(std::move(commands), deployment_));
}

void Supervisor::start_reviving(std::vector<Command> commands) {
    reviving_.commands = commands;
    reviving_.scope = std::make_unique<TaskScope>(parts_.executor);
    reviving_.scope->spawn("restarting unhealthy modules", revive(std::move(commands), deployment_));
}

Task<> Supervisor::revive(std::vector<Command> commands, std::shared_ptr<const Deployment> deployment) {
    struct Ending {
        Supervisor& supervisor;
        ~Ending() {
            supervisor.reviving_.commands.clear();
            supervisor.wake_.set();
        }
    };
    const Ending ending{*this};
    co_await reviving_.runner.run(
        std::move(commands), std::move(deployment),
        [this](const Command& command, const Result<>& result) { return supervised(command, result); });
}

Task<> Supervisor::roll_out(std::vector<Command> commands, std::shared_ptr<const Deployment> deployment) {
    // Ends the rollout however it ends: done, overtaken by a newer deployment, or cancelled.
    struct Ending {
        Supervisor& supervisor;
        ~Ending() {
            supervisor.rollout_.commands.clear();
            supervisor.wake_.set();
        }
    };
    const Ending ending{*this};
    const auto* wanted = deployment.get();
    co_await rollout_.runner.run(
        std::move(commands), deployment,
        [this, wanted](const Command& command, const Result<>& result) { return rolled_out(command, result, wanted); });
}

bool Supervisor::supervised(const Command& command, const Result<>& result) {
    // The daemon has just gone: this says nothing about the module.
    if (!result && result.error().code == Errc::unreachable) return false;
    const bool counted = std::holds_alternative<Restart>(command) || std::holds_alternative<Revive>(command);
    if (counted) history_.restart_tried(module_of(command), now());
    note(command, result);
    return true;
}

bool Supervisor::rolled_out(const Command& command, const Result<>& result, const Deployment* deployment) {
    const bool current = deployment == deployment_.get();
    if (result || current) note(command, result);  // a failure on the way to what is wanted no more is none
    auto& left = rollout_.commands;
    const auto done = std::ranges::find(left, command);
    if (done != left.end()) left.erase(left.begin(), std::next(done));
    if (result && current && std::holds_alternative<Prepare>(command)) prepared_.insert(module_of(command));
    const bool agent_next = !left.empty() && std::holds_alternative<UpdateAgent>(left.front());
    if (result && current && agent_next)
        for (const auto& module : deployment->modules)
            if (module.name == agent_name) history_.agent_update_tried(module.fingerprint, now());
    if (result && std::holds_alternative<UpdateAgent>(command))
        being_replaced_until_ = parts_.clock.steady() + time_to_be_replaced;
    save_history();
    wake_.set();
    return current;
}

void Supervisor::note(const Command& command, const Result<>& result) {
    if (result) {
        history_.succeeded(command, now());
        failures_.succeeded(command);
        if (std::holds_alternative<Start>(command) || std::holds_alternative<Restart>(command) ||
            std::holds_alternative<Revive>(command))
            if (auto* probation = deployments_.probation()) probation->started(module_of(command));
    } else {
        if (auto* probation = deployments_.probation(); probation != nullptr && says_no(command, result.error()))
            probation->could_not(module_of(command), describe_failure(command, result.error()));
        failures_.failed(command, result.error(), parts_.settings.restart, parts_.clock.steady());
    }
    parts_.on_state_changed();
}

void Supervisor::save_history() {
    if (!history_.take_changed()) return;
    if (const auto saved = parts_.store.save_history(history_); !saved)
        log::warn("Saving the history of the modules failed: {}", saved.error().text);
}

bool Supervisor::daemon_is_long_away() const {
    return daemon_away_since_ && parts_.clock.steady() - *daemon_away_since_ >= parts_.settings.daemon_patience;
}

bool Supervisor::applying() const {
    return !planned_ || rolling() || plan_.pending || !in_rollout(plan_.commands).empty();
}

DeploymentStatus Supervisor::status() const {
    if (const auto& rejected = deployments_.rejected())
        return {.code = rejected->why.code, .description = rejected->why.text};
    if (!deployment_) return {.code = 406, .description = ""};
    if (daemon_is_long_away()) return {.code = 500, .description = "the daemon does not answer: " + daemon_error_};
    auto trouble = failures_.text();
    if (deployments_.rolled_back()) {
        auto text = deployments_.rollback_text();
        return {.code = 500, .description = trouble.empty() ? std::move(text) : trouble + "; " + text};
    }
    if (!trouble.empty() && deployments_.first()) trouble += "; there is no earlier deployment to go back to";
    if (!trouble.empty()) return {.code = 500, .description = std::move(trouble)};
    if (applying())
        return {.code = 406, .description = fmt::format("version {} is being applied", deployment_->version)};
    return {.code = 200, .description = ""};
}

std::int64_t Supervisor::last_desired_version() const {
    if (const auto& rejected = deployments_.rejected()) return rejected->version;
    if (deployments_.rolled_back()) return deployments_.rollback()->failed_version;
    return deployment_ ? deployment_->version : 0;
}

std::optional<boost::json::object> Supervisor::report(bool compact) const {
    const bool looked_since = looked_ && (!deployment_ || planned_);
    if (!looked_since && !daemon_is_long_away()) return std::nullopt;
    const auto runtime_status = planned_ ? plan_.status : std::map<std::string, std::string>();
    std::map<std::string, std::string> trouble;
    if (deployment_)
        for (const auto& module : deployment_->modules)
            if (auto text = failures_.text_of(module.name); !text.empty())
                trouble.emplace(module.name, std::move(text));
    return build_report({.deployment = deployment_.get(),
                         .observed = observed_,
                         .runtime_status = runtime_status,
                         .trouble = trouble,
                         .history = history_,
                         .status = status(),
                         .rollback = deployments_.rollback_report(),
                         .last_desired_version = last_desired_version(),
                         .system_info = system_info_,
                         .agent_version = parts_.version,
                         .compact = compact});
}

}  // namespace skerry::agent
