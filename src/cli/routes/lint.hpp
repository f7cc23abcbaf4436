// What a person should know of a deployment's routes before they are in force. Pure.
#pragma once

#include "cli/routes/deployment.hpp"

#include <string>
#include <vector>

namespace skerry::cli {

struct Finding {
    std::string route;  // by name; for a cycle the first of its routes
    std::string text;   // names the route too
};

// Routes that don't compile, name modules that the deployment does not have, can never match, are there twice, or lead
// messages in a circle. Empty: nothing to say.
[[nodiscard]] std::vector<Finding> lint(const DeploymentRoutes& deployment);

}  // namespace skerry::cli
