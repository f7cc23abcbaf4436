// The agent's heart: looks at what the daemon runs, plans, acts, looks again.
//
//   desired (twin, or disk at boot) --> Deployments --+
//   daemon's modules --> History --> Health ----------+--> plan() --> supervision: at once, in this loop
//                \                                               \--> deployment: in the background, one at a time
//                 '--> Probation --> Deployments: the newest has passed, or the last good one is in force again
//
// Promises: a module that crashed is restarted on time while another one's image is still being fetched. A bad
//           manifest is reported and the last good deployment goes on being supervised. A daemon that is away is
//           waited for: nothing is done that it did not confirm the need of. The last good deployment works at boot
//           with no network.
//           A daemon that can tell when a module changes is not asked again before that; one that can't, every 2 s.
// Threads:  the loop's.
#pragma once

#include "agent/deployment.hpp"
#include "agent/deployments.hpp"
#include "agent/executor.hpp"
#include "agent/failures.hpp"
#include "agent/history.hpp"
#include "agent/report.hpp"
#include "agent/settings.hpp"
#include "agent/store.hpp"
#include "base/clock.hpp"
#include "base/event.hpp"
#include "base/task_scope.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace skerry::agent {

class Supervisor {
public:
    struct Parts {
        const Settings& settings;
        const DeviceFacts& facts;
        ModuleRuntime& runtime;
        Store& store;
        Clock& clock;
        Executor executor;
        std::string own_generation;
        std::string version;                     // of this program, as reported
        std::function<void()> on_state_changed;  // report() may have something new
        // For those who measure; may be empty. After each look at the modules of the deployment in force; and when a
        // new deployment was carried out, with how long that took.
        std::function<void(const Deployment&, const std::vector<model::ModuleStatus>&)> on_looked{};
        std::function<void(Duration took)> on_deployed{};
    };
    explicit Supervisor(Parts parts);

    // The desired properties, whole, without the twin's own members.
    void take_desired(const boost::json::object& desired, std::int64_t version);

    // The hub is reachable again: what waited for it is tried at once.
    void cloud_is_back();

    // They run until cancelled. Await close() after cancelling, before destruction.
    [[nodiscard]] Task<> keep_running();
    [[nodiscard]] Task<> keep_watching();
    [[nodiscard]] Task<> keep_saving() { return deployments_.keep_saving(); }
    [[nodiscard]] Task<> close();

    // nullopt before the first look at what the daemon runs, and between a new deployment and its plan.
    [[nodiscard]] std::optional<boost::json::object> report(bool compact) const;
    [[nodiscard]] DeploymentStatus status() const;
    [[nodiscard]] bool knows(const std::string& module) const;  // the daemon has such a module
    void look_soon() { wake_.set(); }
    // Of the deployment in force; empty when it has none.
    [[nodiscard]] std::string version_of(const std::string& module) const;
    [[nodiscard]] const boost::json::object& system_info() const { return system_info_; }  // of the daemon

private:
    // Commands that take their time, beside the loop.
    struct Background {
        CommandRunner runner;
        std::vector<Command> commands;  // those that are still to end
        std::unique_ptr<TaskScope> scope;
    };

    void another_in_force();
    [[nodiscard]] Task<Duration> look();  // returns when to look again
    [[nodiscard]] Duration patience() const;
    [[nodiscard]] Task<> read_system_info();
    void daemon_is_away(const Error& why);
    void tell_watchers();
    [[nodiscard]] bool daemon_is_long_away() const;
    [[nodiscard]] PlanInput plan_input();
    void feed(Probation& probation);
    [[nodiscard]] bool failed_before(const std::string& module) const;
    [[nodiscard]] Task<std::optional<Duration>> judge();  // when to judge again
    [[nodiscard]] Task<std::string> last_words_of(std::string module);
    void note_agent_tries(Probation& probation);
    [[nodiscard]] std::optional<BroughtBack> brought_back() const;
    [[nodiscard]] Task<> act();
    [[nodiscard]] Task<> supervise(std::vector<Command> commands);
    [[nodiscard]] Task<> supervise_module(std::vector<Command> commands, bool& daemon_gone);
    void start_reviving(std::vector<Command> commands);
    [[nodiscard]] Task<> revive(std::vector<Command> commands, std::shared_ptr<const Deployment> deployment);
    void start_rollout(std::vector<Command> commands);
    [[nodiscard]] Task<> roll_out(std::vector<Command> commands, std::shared_ptr<const Deployment> deployment);
    bool supervised(const Command& command, const Result<>& result);
    bool rolled_out(const Command& command, const Result<>& result, const Deployment* deployment);
    void note(const Command& command, const Result<>& result);
    void save_history();
    [[nodiscard]] Now now() const { return {.steady = parts_.clock.steady(), .wall = parts_.clock.wall()}; }
    [[nodiscard]] bool rolling() const { return !rollout_.commands.empty(); }
    [[nodiscard]] bool applying() const;
    [[nodiscard]] std::int64_t last_desired_version() const;

    Parts parts_;
    History history_;
    Failures failures_;
    Background rollout_;
    Background reviving_;

    Deployments deployments_;
    std::shared_ptr<const Deployment> deployment_;  // in force; shared with a rollout that a newer one overtakes
    std::set<std::string> prepared_;                // for it

    std::vector<model::ModuleStatus> observed_;
    std::string observed_tag_;  // by which the daemon knows that list; empty: it can't tell when there is another one
    Event observed_anew_;
    bool looked_{false};
    Plan plan_;
    bool planned_{false};  // plan_ belongs to deployment_
    SteadyTime being_replaced_until_{};
    std::optional<SteadyTime> daemon_away_since_;
    std::string daemon_error_;
    boost::json::object system_info_;
    std::optional<SteadyTime> deploying_since_;
    Event wake_;
};

}  // namespace skerry::agent
