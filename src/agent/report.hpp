// The agent's reported properties, in the existing agent's shape (agent-and-daemon.md 2.1).
//
// Promises: no registry password ever; no nulls (a null would delete); the same state gives the same document, so the
//           diff is empty when nothing changed. A module's description has 1024 bytes at most, the deployment's 2048.
#pragma once

#include "agent/deployment.hpp"
#include "agent/history.hpp"
#include "model/module.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::agent {

struct DeploymentStatus {
    int code{406};  // 200 done, 400 406 412 417 500: agent-and-daemon.md 1.5
    std::string description;
    bool operator==(const DeploymentStatus&) const = default;
};

struct ReportInput {
    const Deployment* deployment{nullptr};  // what is supervised; null: nothing yet
    const std::vector<model::ModuleStatus>& observed;
    const std::map<std::string, std::string>& runtime_status;  // the plan's; what it lacks is as the daemon says
    const std::map<std::string, std::string>& trouble;         // by module: what could not be done
    const History& history;
    DeploymentStatus status;
    boost::json::object rollback{};  // the property; empty: none
    std::int64_t last_desired_version{0};
    const boost::json::object& system_info;  // the daemon's; may be empty
    std::string_view agent_version;
    // Without createOptions and environments, when the hub finds the whole too large.
    bool compact{false};
};

[[nodiscard]] boost::json::object build_report(const ReportInput& input);

// What to say when the agent ends: 406, and nobody knows how the modules of `reported` are.
[[nodiscard]] boost::json::object farewell(const boost::json::object& reported);

// `text` cut between characters.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t bytes);

}  // namespace skerry::agent
