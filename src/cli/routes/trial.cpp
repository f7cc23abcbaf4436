#include "cli/routes/trial.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

namespace skerry::cli {

namespace json = boost::json;

namespace {
std::string reason(const route::Route& route, const route::MessageView& message) {
    if (!route::takes_source_of(route, message))
        return fmt::format("the message comes from {}, the route takes {}*", message.source(), route.source);
    return fmt::format("the condition is {}", route::name_of(route.condition.evaluate(message)));
}

std::optional<std::uint32_t> time_to_live_of(const NamedRoute& route, const DeploymentRoutes& deployment) {
    return model::time_to_live_of(route.config, deployment.time_to_live_seconds);
}
}  // namespace

std::vector<RouteTrial> try_routes(const DeploymentRoutes& deployment, const model::Message& message) {
    const route::MessageView view(message);
    std::vector<RouteTrial> trials;
    std::map<std::string, std::size_t> best;  // by endpoint
    for (const auto& route : deployment.routes) {
        RouteTrial trial{&route, route::matches(route.compiled, view), false, {}};
        if (!trial.matches) trial.why_not = reason(route.compiled, view);
        if (trial.matches) {
            const auto [found, first] = best.try_emplace(name_of(route.compiled.endpoint), trials.size());
            if (!first && route.config.priority < trials[found->second].route->config.priority)
                found->second = trials.size();
        }
        trials.push_back(std::move(trial));
    }
    for (std::size_t i = 0; i < trials.size(); ++i) {
        if (!trials[i].matches) continue;
        const auto winner = best.at(name_of(trials[i].route->compiled.endpoint));
        trials[i].delivers = winner == i;
        if (winner != i)
            trials[i].why_not =
                fmt::format("route '{}' leads to the same endpoint: one copy", trials[winner].route->config.name);
    }
    return trials;
}

std::string trial_table(const std::vector<RouteTrial>& trials, const DeploymentRoutes& deployment) {
    std::size_t name_width = 6;
    std::size_t endpoint_width = 9;
    for (const auto& trial : trials) {
        name_width = std::max(name_width, trial.route->config.name.size() + 1);
        endpoint_width = std::max(endpoint_width, name_of(trial.route->compiled.endpoint).size() + 1);
    }
    auto out = fmt::format("{:<{}} {:<8} {:<{}} {:>10} {:>8}  {}\n", "ROUTE", name_width, "MATCHES", "ENDPOINT",
                           endpoint_width, "PRIORITY", "TTL", "WHY NOT");
    for (const auto& trial : trials) {
        const auto time_to_live = time_to_live_of(*trial.route, deployment);
        auto line = fmt::format("{:<{}} {:<8} {:<{}} {:>10} {:>8}  {}", trial.route->config.name, name_width,
                                trial.matches ? "yes" : "no", name_of(trial.route->compiled.endpoint), endpoint_width,
                                trial.route->config.priority,
                                time_to_live ? fmt::format("{} s", *time_to_live) : "forever", trial.why_not);
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + '\n';
    }
    for (const auto& problem : deployment.problems) out += fmt::format("ignored: {}\n", problem.text);
    return out;
}

json::array trial_json(const std::vector<RouteTrial>& trials, const DeploymentRoutes& deployment) {
    json::array out;
    for (const auto& trial : trials) {
        json::object one{{"route", trial.route->config.name},
                         {"matches", trial.matches},
                         {"delivers", trial.delivers},
                         {"endpoint", name_of(trial.route->compiled.endpoint)},
                         {"priority", trial.route->config.priority}};
        if (const auto time_to_live = time_to_live_of(*trial.route, deployment)) one["timeToLiveSecs"] = *time_to_live;
        if (!trial.why_not.empty()) one["whyNot"] = trial.why_not;
        out.push_back(std::move(one));
    }
    for (const auto& problem : deployment.problems)
        out.push_back(json::object{{"route", problem.where}, {"error", problem.text}});
    return out;
}

}  // namespace skerry::cli
