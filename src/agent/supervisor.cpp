#include "agent/supervisor.hpp"

#include "agent/waiting.hpp"
#include "base/log.hpp"

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
constexpr Duration before_saving_again = 10s;
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
    return there != nullptr && there->health.state == model::RuntimeState::running;
}

bool same_look(const std::vector<model::ModuleStatus>& a, const std::vector<model::ModuleStatus>& b) {
    return std::ranges::equal(a, b, [](const model::ModuleStatus& one, const model::ModuleStatus& other) {
        return one.name == other.name && one.state == other.state && one.started == other.started &&
               one.exited == other.exited && one.exit_code == other.exit_code && one.description == other.description;
    });
}

}  // namespace

Supervisor::Supervisor(Parts parts)
    : parts_(std::move(parts)),
      history_(parts_.store.load_history()),
      supervising_(parts_.runtime, parts_.facts, parts_.own_generation),
      rolling_out_(parts_.runtime, parts_.facts, parts_.own_generation),
      wake_(parts_.executor),
      save_(parts_.executor) {}

void Supervisor::take_desired(const boost::json::object& desired, std::int64_t version) {
    load_pending_ = false;
    auto made = make_deployment(desired, version, parts_.facts);
    if (!made) {
        log::warn("The deployment of version {} can't be used: {}", version, made.error().text);
        rejected_ = Rejected{.version = version, .why = std::move(made).error()};
        parts_.on_state_changed();
        return;
    }
    rejected_.reset();
    if (!deployment_ || deployment_->version != version || deployment_->desired != desired) {
        log::info("The deployment of version {} is wanted now", version);
        unsaved_ = StoredDeployment{.version = version, .desired = desired};
        save_.set();
        accept(std::move(*made));
    }
    parts_.on_state_changed();
}

void Supervisor::accept(std::shared_ptr<const Deployment> deployment) {
    deployment_ = std::move(deployment);
    planned_ = false;
    failures_.clear();
    // A slow fetch of what may not be wanted any more is given up; everything else ends in order and then stops.
    const auto* current = rolling_out_.current();
    if (rollout_ && current != nullptr && std::holds_alternative<Prepare>(*current)) rollout_->cancel();
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
    if (rollout_) co_await rollout_->close();
    rollout_.reset();
}

Task<Duration> Supervisor::look() {
    co_await load_stored();
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
        co_return load_pending_ ? parts_.settings.busy_poll : parts_.settings.quiet_poll;
    }
    plan_ = plan(plan_input());
    planned_ = true;
    co_await act();
    save_history();
    parts_.on_state_changed();
    if (!quiet || !plan_.commands.empty()) co_return after_acting;
    const auto poll = rolling() ? parts_.settings.busy_poll : parts_.settings.quiet_poll;
    co_return std::min(poll, plan_.again.value_or(poll));
}

Task<> Supervisor::load_stored() {
    if (!load_pending_) co_return;
    auto stored = co_await parts_.store.load_deployment();
    if (!load_pending_) co_return;  // the twin was faster
    if (!stored) {
        log::debug("{}", stored.error().text);
        co_return;
    }
    load_pending_ = false;
    if (!*stored) co_return;
    auto made = make_deployment((*stored)->desired, (*stored)->version, parts_.facts);
    if (!made) {
        log::warn("The stored deployment can't be used: {}", made.error().text);
        co_return;
    }
    log::info("The stored deployment of version {} is used until the hub says otherwise", (*stored)->version);
    accept(std::move(*made));
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
                    .leaving = history_.leaving(),
                    .restart = parts_.settings.restart};
    for (const auto& command : rollout_commands_) input.busy.insert(module_of(command));
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

// What keeps modules as they should be is done here and now; what changes them goes to the background.
Task<> Supervisor::act() {
    const auto modules = in_rollout(plan_.commands);
    std::vector<Command> supervision;
    std::vector<Command> deploying;
    for (const auto& command : plan_.commands)
        (modules.contains(module_of(command)) ? deploying : supervision).push_back(command);
    const bool replaced_soon = parts_.clock.steady() < being_replaced_until_;
    if (!deploying.empty() && !rolling() && !replaced_soon) start_rollout(std::move(deploying));
    if (!supervision.empty())
        co_await supervising_.run(
            std::move(supervision), deployment_,
            [this](const Command& command, const Result<>& result) { return supervised(command, result); });
}

void Supervisor::start_rollout(std::vector<Command> commands) {
    rollout_commands_ = commands;
    rollout_ = std::make_unique<TaskScope>(parts_.executor);
    rollout_->spawn("rollout", roll_out(std::move(commands), deployment_));
}

Task<> Supervisor::roll_out(std::vector<Command> commands, std::shared_ptr<const Deployment> deployment) {
    // Ends the rollout however it ends: done, overtaken by a newer deployment, or cancelled.
    struct Ending {
        Supervisor& supervisor;
        ~Ending() {
            supervisor.rollout_commands_.clear();
            supervisor.wake_.set();
        }
    };
    const Ending ending{*this};
    const auto* wanted = deployment.get();
    co_await rolling_out_.run(
        std::move(commands), deployment,
        [this, wanted](const Command& command, const Result<>& result) { return rolled_out(command, result, wanted); });
}

bool Supervisor::supervised(const Command& command, const Result<>& result) {
    // The daemon has just gone: this says nothing about the module.
    if (!result && result.error().code == Errc::unreachable) return false;
    if (std::holds_alternative<Restart>(command)) history_.restart_tried(module_of(command), now());
    note(command, result);
    return true;
}

bool Supervisor::rolled_out(const Command& command, const Result<>& result, const Deployment* deployment) {
    const bool current = deployment == deployment_.get();
    if (result || current) note(command, result);  // a failure on the way to what is wanted no more is none
    const auto done = std::ranges::find(rollout_commands_, command);
    if (done != rollout_commands_.end()) rollout_commands_.erase(rollout_commands_.begin(), std::next(done));
    if (result && std::holds_alternative<Prepare>(command) && module_of(command) == agent_name)
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
    } else {
        failures_.failed(command, result.error(), parts_.settings.restart, parts_.clock.steady());
    }
    parts_.on_state_changed();
}

void Supervisor::save_history() {
    if (!history_.take_changed()) return;
    if (const auto saved = parts_.store.save_history(history_); !saved)
        log::warn("Saving the history of the modules failed: {}", saved.error().text);
}

Task<> Supervisor::keep_saving() {
    for (;;) {
        co_await save_.wait();
        save_.reset();
        auto saving = std::exchange(unsaved_, std::nullopt);
        if (!saving) continue;
        const auto saved = co_await parts_.store.save_deployment(*saving);
        if (saved) continue;
        log::warn("Saving the deployment of version {} failed: {}", saving->version, saved.error().text);
        co_await parts_.clock.sleep(before_saving_again);
        if (!unsaved_) unsaved_ = std::move(saving);
        save_.set();
    }
}

bool Supervisor::daemon_is_long_away() const {
    return daemon_away_since_ && parts_.clock.steady() - *daemon_away_since_ >= parts_.settings.daemon_patience;
}

DeploymentStatus Supervisor::status() const {
    if (rejected_) return {.code = rejected_->why.code, .description = rejected_->why.text};
    if (!deployment_) return {.code = 406, .description = ""};
    if (daemon_is_long_away()) return {.code = 500, .description = "the daemon does not answer: " + daemon_error_};
    if (!failures_.empty()) return {.code = 500, .description = failures_.text()};
    const bool applying = !planned_ || rolling() || !in_rollout(plan_.commands).empty();
    if (applying) return {.code = 406, .description = fmt::format("version {} is being applied", deployment_->version)};
    return {.code = 200, .description = ""};
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
                         .last_desired_version = rejected_     ? rejected_->version
                                                 : deployment_ ? deployment_->version
                                                               : 0,
                         .system_info = system_info_,
                         .agent_version = parts_.version,
                         .compact = compact});
}

}  // namespace skerry::agent
