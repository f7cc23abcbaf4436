// Keeps the agent alive: looks when the engine says that something changed, and starts it again with growing pauses.
//
// Promises: an agent that ran for a minute starts again at once; one that crashes at once is tried every 30 s at most
//           often and at least that often, for ever (or `max_retries` times in a row when it can't even be started). A
//           new agent that does not prove itself (AgentTrial) gives way to the one before it.
#pragma once

#include "daemon/agent_trial.hpp"
#include "daemon/modules.hpp"
#include "platform/platform.hpp"
#include "storage/database.hpp"

#include <optional>

namespace skerry::daemon {

class Watchdog {
public:
    Watchdog(Platform platform, Modules& modules, AgentTrial& trial, storage::Database& database,
             std::optional<unsigned> max_retries)
        : platform_(platform), modules_(modules), trial_(trial), database_(database), max_retries_(max_retries) {}

    // Runs until it is cancelled. Returns only when it gave up.
    [[nodiscard]] Task<> run();

private:
    // Also until it has failed its trial.
    [[nodiscard]] Task<> until_agent_ends();
    [[nodiscard]] Task<> bring_back(std::string reason);
    [[nodiscard]] Task<std::string> last_words();
    // What the agent is made of by the configuration, as a digest: when it changed, the agent is made anew.
    [[nodiscard]] std::string bootstrap_digest() const;
    [[nodiscard]] bool is_outdated(const std::string& digest);
    void keep_digest(const std::string& digest);

    Platform platform_;
    Modules& modules_;
    AgentTrial& trial_;
    storage::Database& database_;
    std::optional<unsigned> max_retries_;
};

}  // namespace skerry::daemon
