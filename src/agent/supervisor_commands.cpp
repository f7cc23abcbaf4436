// Carries out the plan: what keeps modules as they should be at once, what changes them in the background.
#include "agent/supervisor.hpp"
#include "base/log.hpp"
#include "base/side_by_side.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

namespace skerry::agent {

namespace {

constexpr Duration time_to_be_replaced = std::chrono::minutes(1);  // by the daemon, which answered first

// Modules with a command that changes what exists belong to the rollout, with all their commands.
std::set<std::string> in_rollout(const std::vector<Command>& commands) {
    std::set<std::string> modules;
    for (const auto& command : commands)
        if (!is_supervision(command)) modules.insert(module_of(command));
    return modules;
}

// Whether a failure says that the deployment can't be done, rather than that something it needs is out of reach.
bool says_no(const Command& command, const Error& why) {
    if (why.code == Errc::unreachable || std::holds_alternative<EnsureIdentity>(command)) return false;
    if (!std::holds_alternative<Prepare>(command)) return true;
    return why.code == Errc::not_found || why.code == Errc::unauthorized || why.code == Errc::malformed ||
           why.code == Errc::unsupported;
}

}  // namespace

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
    if (!supervision.empty()) co_await supervise(std::move(supervision));
}

// After a reboot these are all modules. The hub first, for the others are its clients; then several at once, for the
// engine takes half a second for each.
Task<> Supervisor::supervise(std::vector<Command> commands) {
    constexpr std::size_t at_once = 4;
    std::vector<Command> hub;
    std::map<std::string, std::vector<Command>> others;
    std::vector<std::string> order;
    for (auto& command : commands) {
        const auto& module = module_of(command);
        if (module == hub_name) {
            hub.push_back(std::move(command));
            continue;
        }
        if (!others.contains(module)) order.push_back(module);
        others[module].push_back(std::move(command));
    }
    bool daemon_gone = false;
    co_await supervise_module(std::move(hub), daemon_gone);
    std::vector<Task<>> tasks;
    for (const auto& module : order) tasks.push_back(supervise_module(std::move(others[module]), daemon_gone));
    co_await run_side_by_side(std::move(tasks), at_once);
}

Task<> Supervisor::supervise_module(std::vector<Command> commands, bool& daemon_gone) {
    if (daemon_gone) co_return;
    CommandRunner runner(parts_.runtime, parts_.facts, parts_.own_generation);
    co_await runner.run(std::move(commands), deployment_, [&](const Command& command, const Result<>& result) {
        const bool goes_on = supervised(command, result);
        if (!goes_on) daemon_gone = true;
        return goes_on;
    });
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

bool Supervisor::applying() const {
    return !planned_ || rolling() || plan_.pending || !in_rollout(plan_.commands).empty();
}

}  // namespace skerry::agent
