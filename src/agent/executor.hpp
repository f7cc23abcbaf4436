// Carries out commands of a plan through the module runtime.
//
// Promises: one command at a time and in order; when one fails, the later ones for the same module are left out and
//           those for other modules go on; a module gets an identity of its own before it is made.
// Threads:  the loop's. One run() at a time per CommandRunner.
#pragma once

#include "agent/deployment.hpp"
#include "agent/plan.hpp"
#include "agent/runtime.hpp"
#include "base/result.hpp"
#include "base/task.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skerry::agent {

class CommandRunner {
public:
    // Called after each command; returns whether to go on with the next.
    using Done = std::function<bool(const Command& command, const Result<>& result)>;

    // `own_generation` is the agent's: for its own update no identity has to be asked for.
    CommandRunner(ModuleRuntime& runtime, const DeviceFacts& facts, std::string own_generation)
        : runtime_(runtime), facts_(facts), own_generation_(std::move(own_generation)) {}

    [[nodiscard]] Task<> run(std::vector<Command> commands, std::shared_ptr<const Deployment> deployment, Done done);

    // What runs now, if anything: a slow Prepare may be given up for a newer deployment, the others may not.
    [[nodiscard]] const Command* current() const { return current_ ? &*current_ : nullptr; }

private:
    [[nodiscard]] Task<Result<>> execute(Command command, std::shared_ptr<const Deployment> deployment);
    // Await in the same expression.
    [[nodiscard]] Task<Result<>> prepare(model::ModuleSpec spec, const Deployment& deployment);
    [[nodiscard]] Task<Result<>> ensure_identity(std::string module);
    [[nodiscard]] Task<Result<>> delete_identity(std::string module);
    [[nodiscard]] Task<Result<>> read_identities();
    [[nodiscard]] Result<model::ModuleSpec> spec_of(const std::string& module, const Deployment& deployment) const;

    ModuleRuntime& runtime_;
    const DeviceFacts& facts_;
    std::string own_generation_;
    std::optional<std::map<std::string, daemonapi::IdentityEntry>> identities_;  // of this run, by module id
    std::optional<Command> current_;
};

}  // namespace skerry::agent
