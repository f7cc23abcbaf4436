// The routes of a deployment manifest, compiled, with what is wrong with them.
#pragma once

#include "base/result.hpp"
#include "model/hub_config.hpp"
#include "route/route.hpp"

#include <boost/json/fwd.hpp>

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace skerry::cli {

struct NamedRoute {
    model::RouteConfig config;
    route::Route compiled;
};

struct DeploymentRoutes {
    std::vector<NamedRoute> routes;                     // those that compile, by name
    std::vector<model::ConfigProblem> problems;         // the others
    std::optional<std::uint32_t> time_to_live_seconds;  // for routes without their own; absent: for ever
    std::optional<std::set<std::string>> modules;       // of the deployment; absent: it sets none
};

// Takes {"modulesContent": …}, the same inside {"content": …}, or the desired properties of $edgeHub alone.
// Errc::malformed, Errc::unsupported: there are no routes to be read at all.
[[nodiscard]] Result<DeploymentRoutes> read_deployment(const boost::json::object& document);

// "$upstream", "modules/filter/inputs/input1"
[[nodiscard]] std::string name_of(const route::Endpoint& endpoint);

}  // namespace skerry::cli
