// From what should be and what is to what to do next: the agent's policy, as a pure function of values.
//
// Promises: the same input gives the same plan; a plan never stops or removes edgeAgent; a module that is as wanted is
//           never touched, whatever else changes; what failed is tried again for ever, ever more slowly.
//
// A module is "as wanted" when the fingerprint that lies on it (label net.skerry.spec) is the wanted one. So an update
// that failed half way is seen again, after a restart of the agent too. Restart policy, startup order, pull policy and
// wanted status are the agent's own business and never recreate a module.
//
// Order:    edgeAgent's own update goes first and alone, for it replaces us; then removals; then the modules by
//           startupOrder, edgeHub before others of the same order, then by name. Those of a later order wait until
//           those of an earlier one are ready: they run and, where the engine reports health, are healthy. Nobody is
//           waited for who has failed, has done his work, or does not get healthy within `longest_start`.
// Whole:    when a deployment is a transaction, every image (and identity) is made ready first; until the last one is
//           there nothing is stopped, removed, replaced or created.
#pragma once

#include "agent/restart.hpp"
#include "base/clock.hpp"
#include "model/manifest.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace skerry::agent {

inline constexpr std::string_view agent_name = "edgeAgent";
inline constexpr std::string_view hub_name = "edgeHub";

// Each names the module it is about; CommandRunner knows how.
struct EnsureIdentity {
    std::string module;
    bool operator==(const EnsureIdentity&) const = default;
};
struct DeleteIdentity {
    std::string module;
    bool operator==(const DeleteIdentity&) const = default;
};
// Make the image ready.
struct Prepare {
    std::string module;
    bool operator==(const Prepare&) const = default;
};
struct Create {
    std::string module;
    bool operator==(const Create&) const = default;
};
// Stop and replace.
struct Update {
    std::string module;
    bool operator==(const Update&) const = default;
};
// Ends this process, if it succeeds.
struct UpdateAgent {
    std::string module;
    bool operator==(const UpdateAgent&) const = default;
};
struct Start {
    std::string module;
    bool operator==(const Start&) const = default;
};
struct Stop {
    std::string module;
    bool operator==(const Stop&) const = default;
};
// Start a module that ended; counted.
struct Restart {
    std::string module;
    bool operator==(const Restart&) const = default;
};
struct Remove {
    std::string module;
    bool operator==(const Remove&) const = default;
};
// Restart a module that runs, but is unhealthy; counted. Takes as long as the module takes to stop.
struct Revive {
    std::string module;
    bool operator==(const Revive&) const = default;
};
struct ForgetRestarts {
    std::string module;
    bool operator==(const ForgetRestarts&) const = default;
};

using Command = std::variant<EnsureIdentity, DeleteIdentity, Prepare, Create, Update, UpdateAgent, Start, Stop, Restart,
                             Revive, Remove, ForgetRestarts>;

// "start filter"
[[nodiscard]] std::string describe(const Command& command);
[[nodiscard]] const std::string& module_of(const Command& command);
// Whether it keeps what exists as it should be (quick, needs no network), rather than changing what exists. Stop
// is none: it takes as long as the module's grace.
[[nodiscard]] bool is_supervision(const Command& command);

struct DesiredModule {
    std::string name;
    bool running{true};
    model::RestartPolicy policy{model::RestartPolicy::on_unhealthy};
    std::uint32_t order{0xffffffff};
    std::string fingerprint;  // of all that would be applied
};

struct ObservedModule {
    std::string fingerprint;  // of what was applied; empty: not by us
    Health health;
};

// How long no command of that kind may be tried, because the last one failed.
struct Holdback {
    Duration deploying{};  // identity, image, create, update, stop, remove
    Duration running{};    // start, restart
};

// How long a module that was started may take to become healthy before others stop waiting for it.
inline constexpr Duration longest_start = std::chrono::minutes(2);

struct PlanInput {
    std::vector<DesiredModule> desired;
    std::map<std::string, ObservedModule> observed;
    std::map<std::string, Holdback> held;
    std::set<std::string> busy;     // commands are under way for them: leave them alone
    std::set<std::string> leaving;  // removed by us; their identity is still to be deleted
    RestartSettings restart;
    bool whole{false};               // a transaction
    std::set<std::string> prepared;  // image and identity are there, of modules that are not as wanted yet
};

struct Plan {
    std::vector<Command> commands;
    std::map<std::string, std::string> status;  // what to report as runtimeStatus, by module
    std::optional<Duration> again;              // when time alone would change the plan
    bool pending{false};                        // a module is still to be changed, but not by these commands
};

[[nodiscard]] Plan plan(const PlanInput& input);

}  // namespace skerry::agent
