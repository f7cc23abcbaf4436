#include "agent/plan.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace skerry::agent {

namespace {

using Action = RestartDecision::Action;
using model::RuntimeState;

constexpr int tries_waited_for = 3;  // a module that was restarted so often holds up nobody

struct Verb {
    std::string_view operator()(const EnsureIdentity&) const { return "ensureIdentity"; }
    std::string_view operator()(const DeleteIdentity&) const { return "deleteIdentity"; }
    std::string_view operator()(const Prepare&) const { return "prepare"; }
    std::string_view operator()(const Create&) const { return "create"; }
    std::string_view operator()(const Update&) const { return "update"; }
    std::string_view operator()(const UpdateAgent&) const { return "updateAgent"; }
    std::string_view operator()(const Start&) const { return "start"; }
    std::string_view operator()(const Stop&) const { return "stop"; }
    std::string_view operator()(const Restart&) const { return "restart"; }
    std::string_view operator()(const Revive&) const { return "revive"; }
    std::string_view operator()(const Remove&) const { return "remove"; }
    std::string_view operator()(const ForgetRestarts&) const { return "forgetRestarts"; }
};

class Planner {
public:
    explicit Planner(const PlanInput& input) : input_(input), desired_(input.desired) {
        std::ranges::sort(desired_, {}, [](const DesiredModule& module) {
            return std::tuple(module.order, module.name != hub_name, std::string_view(module.name));
        });
    }

    Plan run() {
        note_statuses();
        if (input_.whole) prepare_all();
        if (const auto* agent = outdated_agent()) {
            add(Prepare{agent->name});
            add(UpdateAgent{agent->name});
            deploying_ = false;
        }
        remove_unwanted();
        advance_all();
        return std::move(plan_);
    }

private:
    // What modules of later orders may do.
    struct Gate {
        bool start{true};
        bool deploy{true};
    };

    void advance_all() {
        auto order = desired_.empty() ? 0 : desired_.front().order;
        Gate behind;
        for (const auto& module : desired_) {
            if (module.name == agent_name) continue;
            if (module.order != order) gate_ = behind;
            order = module.order;
            advance(module);
            if (holds_up_starting(module)) behind = {.start = false, .deploy = false};
            if (holds_up_deploying(module)) behind.deploy = false;
        }
    }

    void add(Command command) { plan_.commands.push_back(std::move(command)); }
    void wake_in(Duration delay) { plan_.again = plan_.again ? std::min(*plan_.again, delay) : delay; }
    [[nodiscard]] bool busy(const std::string& name) const { return input_.busy.contains(name); }
    [[nodiscard]] const ObservedModule* observed(const std::string& name) const {
        const auto found = input_.observed.find(name);
        return found == input_.observed.end() ? nullptr : &found->second;
    }

    // Whether such a command may be tried now; if only later, the plan says when to ask again.
    bool may(const std::string& name, Duration Holdback::* kind) {
        const auto held = input_.held.find(name);
        if (held == input_.held.end() || held->second.*kind <= Duration{}) return true;
        wake_in(held->second.*kind);
        return false;
    }
    bool may_deploy(const std::string& name) { return deploying_ && may(name, &Holdback::deploying); }

    [[nodiscard]] bool as_wanted(const DesiredModule& wanted) const {
        const auto* current = observed(wanted.name);
        return current != nullptr && current->fingerprint == wanted.fingerprint;
    }

    // Whether the wait for it has an end that is near: it is about to start, or has a health check still to pass.
    [[nodiscard]] bool holds_up_starting(const DesiredModule& wanted) const {
        const auto* current = observed(wanted.name);
        if (current == nullptr || !wanted.running || current->health.restarts >= tries_waited_for) return false;
        if (waits_for_its_start(wanted)) return false;
        const auto& health = current->health;
        if (health.state == RuntimeState::running)
            return (health.engine == model::Health::starting || health.engine == model::Health::unhealthy) &&
                   health.up_for < longest_start;
        const auto held = input_.held.find(wanted.name);
        if (held != input_.held.end() && held->second.running > Duration{}) return false;
        const auto decision = decide_restart(health, wanted.policy, input_.restart);
        return decision.action == Action::start || decision.action == Action::restart || decision.again.has_value();
    }

    [[nodiscard]] bool holds_up_deploying(const DesiredModule& wanted) const {
        return deploying_ && wanted.running && !as_wanted(wanted) && !input_.held.contains(wanted.name);
    }

    // Images before anything else; nothing is changed until the last one is there.
    void prepare_all() {
        for (const auto& module : desired_) {
            if (as_wanted(module) || input_.prepared.contains(module.name)) continue;
            if (module.name == agent_name && observed(module.name) == nullptr) continue;
            plan_.pending = true;
            if (busy(module.name) || !may(module.name, &Holdback::deploying)) continue;
            if (module.name != agent_name) add(EnsureIdentity{module.name});
            add(Prepare{module.name});
        }
        if (plan_.pending) deploying_ = false;
    }

    void note_statuses() {
        for (const auto& [name, module] : input_.observed) plan_.status[name] = model::name_of(module.health.state);
    }

    const DesiredModule* outdated_agent() {
        const auto wanted = std::ranges::find(desired_, agent_name, &DesiredModule::name);
        if (wanted == desired_.end() || busy(wanted->name)) return nullptr;
        const auto* current = observed(wanted->name);
        if (current == nullptr || current->fingerprint == wanted->fingerprint) return nullptr;
        if (may_deploy(wanted->name)) return &*wanted;
        plan_.pending = true;
        return nullptr;
    }

    void remove_unwanted() {
        for (const auto& [name, module] : input_.observed) {
            if (name == agent_name || is_desired(name) || busy(name) || !may_deploy(name)) continue;
            if (module.health.state == RuntimeState::running) add(Stop{name});
            add(Remove{name});
        }
        for (const auto& name : input_.leaving)
            if (observed(name) == nullptr && !is_desired(name) && !busy(name) && may_deploy(name))
                add(DeleteIdentity{name});
    }

    [[nodiscard]] bool is_desired(std::string_view name) const {
        return std::ranges::find(desired_, name, &DesiredModule::name) != desired_.end();
    }

    void advance(const DesiredModule& wanted) {
        const auto* current = observed(wanted.name);
        if (current == nullptr) plan_.status[wanted.name] = "unknown";
        if (!as_wanted(wanted)) {
            if (!busy(wanted.name) && gate_.deploy && may_deploy(wanted.name))
                return deploy(wanted, current != nullptr);
            plan_.pending = true;
        }
        if (waits_for_its_start(wanted))
            plan_.pending = true;
        else if (current != nullptr)
            supervise(wanted, current->health);
    }

    // A module that shall run from this deployment on is started when the deployment is carried out, as that has it:
    // not as it was, and not while other images are still awaited.
    [[nodiscard]] bool waits_for_its_start(const DesiredModule& wanted) const {
        const auto* current = observed(wanted.name);
        if (current == nullptr || !wanted.running || current->health.state == RuntimeState::running) return false;
        const auto& health = current->health;
        if (!as_wanted(wanted)) return health.held || !health.ever_started;
        return health.held && input_.whole && !deploying_;
    }

    void deploy(const DesiredModule& wanted, bool exists) {
        add(EnsureIdentity{wanted.name});
        if (!input_.prepared.contains(wanted.name)) add(Prepare{wanted.name});
        if (exists)
            add(Update{wanted.name});
        else
            add(Create{wanted.name});
        if (wanted.running) add(Start{wanted.name});
    }

    void supervise(const DesiredModule& wanted, const Health& health) {
        if (!wanted.running) return keep_stopped(wanted, health);
        const auto decision = decide_restart(health, wanted.policy, input_.restart);
        plan_.status[wanted.name] = decision.status;
        if (busy(wanted.name)) return;
        if (decision.again) wake_in(*decision.again);
        switch (decision.action) {
            case Action::none: break;
            case Action::forget: add(ForgetRestarts{wanted.name}); break;
            case Action::start:
                if (gate_.start && may(wanted.name, &Holdback::running)) add(Start{wanted.name});
                break;
            case Action::restart:
                if (gate_.start && may(wanted.name, &Holdback::running)) add(Restart{wanted.name});
                break;
            case Action::revive:
                if (may(wanted.name, &Holdback::running)) add(Revive{wanted.name});
                break;
            case Action::recreate:
                if (!may_deploy(wanted.name)) break;
                add(Remove{wanted.name});
                deploy(wanted, false);
                break;
        }
    }

    void keep_stopped(const DesiredModule& wanted, const Health& health) {
        if (busy(wanted.name) || health.state != RuntimeState::running) return;
        if (may_deploy(wanted.name)) add(Stop{wanted.name});
    }

    const PlanInput& input_;
    std::vector<DesiredModule> desired_;
    bool deploying_{true};
    Gate gate_;
    Plan plan_;
};

}  // namespace

std::string describe(const Command& command) {
    return std::string(std::visit(Verb{}, command)) + ' ' + module_of(command);
}

const std::string& module_of(const Command& command) {
    return std::visit([](const auto& one) -> const std::string& { return one.module; }, command);
}

bool is_supervision(const Command& command) {
    return std::holds_alternative<Start>(command) || std::holds_alternative<Restart>(command) ||
           std::holds_alternative<Revive>(command) || std::holds_alternative<ForgetRestarts>(command);
}

Plan plan(const PlanInput& input) { return Planner(input).run(); }

}  // namespace skerry::agent
