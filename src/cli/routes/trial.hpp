// Where one message would go by the routes of a deployment, and for each other route why not. Pure.
#pragma once

#include "cli/routes/deployment.hpp"
#include "model/message.hpp"

#include <boost/json/fwd.hpp>

#include <string>
#include <vector>

namespace skerry::cli {

struct RouteTrial {
    const NamedRoute* route;
    bool matches;
    bool delivers;        // it matches, and no other route leads to its endpoint with a higher priority
    std::string why_not;  // empty when it delivers
};

// The result points into `deployment`.
[[nodiscard]] std::vector<RouteTrial> try_routes(const DeploymentRoutes& deployment, const model::Message& message);

[[nodiscard]] std::string trial_table(const std::vector<RouteTrial>& trials, const DeploymentRoutes& deployment);
[[nodiscard]] boost::json::array trial_json(const std::vector<RouteTrial>& trials, const DeploymentRoutes& deployment);

}  // namespace skerry::cli
