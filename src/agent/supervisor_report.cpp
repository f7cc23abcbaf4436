// What there is to say of the deployment: its status, and the reported properties.
#include "agent/log_tail.hpp"
#include "agent/supervisor.hpp"

#include <fmt/core.h>

#include <utility>

namespace skerry::agent {

bool Supervisor::daemon_is_long_away() const {
    return daemon_away_since_ && parts_.clock.steady() - *daemon_away_since_ >= parts_.settings.daemon_patience;
}

DeploymentStatus Supervisor::status() const {
    if (const auto& rejected = deployments_.rejected())
        return {.code = rejected->why.code, .description = rejected->why.text};
    if (!deployment_) return {.code = 406, .description = ""};
    if (daemon_is_long_away()) return {.code = 500, .description = "the daemon does not answer: " + daemon_error_};
    auto trouble = failures_.text();
    if (const auto back = brought_back()) {
        trouble += (trouble.empty() ? "" : "; ") +
                   fmt::format("module '{}': the new agent failed: {}", agent_name, back->reason);
        if (const auto words = last_words(back->log); !words.empty()) trouble += "; its last log lines:\n" + words;
    }
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
