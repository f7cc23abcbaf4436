// What the agent remembers of its modules: restarts in a row, who ended them, whose identity is still to go. It
// survives the agent's process.
//
// Promises: times count by the steady clock while the agent watches, so a clock that jumps back holds no module down;
//           exit code 0 counts as "completed" only when it was seen while the agent supervised; an end that no agent
//           saw (a reboot, above all) is no failure.
// Bounds:   one record per module that is wanted or there (prune); 1024 identities still to go.
#pragma once

#include "agent/plan.hpp"
#include "base/clock.hpp"
#include "model/module.hpp"

#include <boost/json/object.hpp>

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace skerry::agent {

struct Now {
    SteadyTime steady;
    WallTime wall;
};

struct ModuleRecord {
    int restarts{0};
    std::optional<WallTime> last_restart;
    bool held{false};                   // stopped because the manifest said so
    std::optional<WallTime> completed;  // when it ended with 0 before our eyes; that very end
    std::optional<WallTime> last_end;   // the last one before our eyes, whatever its code
    bool operator==(const ModuleRecord&) const = default;
};

class History {
public:
    // What the daemon says of a module, with what is remembered of it.
    [[nodiscard]] Health observe(const model::ModuleStatus& status, Now now);

    // After a command succeeded.
    void succeeded(const Command& command, Now now);
    // A restart counts whether it succeeded or not.
    void restart_tried(const std::string& module, Now now);

    // An update of edgeAgent ends this process; so that one that never works is not tried every few seconds, tries are
    // remembered. `agent_holdback` is how long to wait until the next one with this fingerprint.
    void agent_update_tried(const std::string& fingerprint, Now now);
    [[nodiscard]] Duration agent_holdback(const std::string& fingerprint, const RestartSettings& settings,
                                          Now now) const;
    // How often an update of edgeAgent with this fingerprint was begun.
    [[nodiscard]] int agent_tries(const std::string& fingerprint) const;

    void prune(const std::function<bool(const std::string& module)>& keep);
    [[nodiscard]] const ModuleRecord& record(const std::string& module) const;
    [[nodiscard]] const std::set<std::string>& leaving() const { return leaving_; }

    [[nodiscard]] boost::json::object to_json() const;
    // Members that make no sense are left out: the worst that follows is a restart too many.
    [[nodiscard]] static History from_json(const boost::json::object& json);
    // True once after something that to_json shows has changed.
    [[nodiscard]] bool take_changed();

private:
    struct Seen {
        model::RuntimeState state{model::RuntimeState::unknown};
        std::optional<WallTime> started;
        std::optional<WallTime> exited;
        SteadyTime since{};
        model::Health health{model::Health::none};
        SteadyTime health_since{};
        bool ran{false};        // we saw it run, or started it
        bool long_ago{false};   // it was like this when we came
        bool unwatched{false};  // it ended while no agent was there: with the machine, the engine, or by chance
    };
    struct AgentUpdate {
        std::string fingerprint;
        int tries{0};
        WallTime last{};
    };
    Seen& look(const model::ModuleStatus& status, Now now);
    void note_end(const model::ModuleStatus& status, const Seen& seen, Now now);
    ModuleRecord& edit(const std::string& module);

    std::map<std::string, ModuleRecord> records_;
    std::map<std::string, Seen> seen_;
    std::set<std::string> leaving_;
    AgentUpdate agent_update_;
    bool changed_{false};
};

}  // namespace skerry::agent
