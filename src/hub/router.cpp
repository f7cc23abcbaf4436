#include "hub/router.hpp"

#include "route/route.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::hub {

struct Router::Compiled {
    route::Route route;
    std::optional<InputEndpoint> input;  // absent: upstream
    std::string input_name;
    std::uint32_t priority;
    std::optional<std::chrono::seconds> time_to_live;
    Durability durability;
};

Router::Router(Durability otherwise) : otherwise_(otherwise) {}
Router::~Router() = default;

std::size_t Router::size() const { return routes_.size(); }

namespace {

std::optional<std::chrono::seconds> time_to_live_of(const model::RouteConfig& route, const model::HubConfig& config) {
    const auto seconds = model::time_to_live_of(route, config.time_to_live_seconds);
    return seconds ? std::optional(std::chrono::seconds(*seconds)) : std::nullopt;
}

Result<std::optional<InputEndpoint>> input_of(const route::Route& route, const model::Identity& own) {
    const auto* const input = std::get_if<route::ModuleInput>(&route.endpoint);
    if (!input) return std::optional<InputEndpoint>{};
    auto module = model::Identity::module(own.device_id(), input->module);
    if (!module) return fail(module.error());
    return std::optional(InputEndpoint{std::move(*module), input->input});
}

}  // namespace

std::vector<model::ConfigProblem> Router::configure(const model::HubConfig& config, const model::Identity& own) {
    std::vector<Compiled> routes;
    std::vector<model::ConfigProblem> problems;
    route::RouteSet set;
    for (const auto& one : config.routes) {
        auto route = set.compile(one.text);
        auto input = route ? input_of(*route, own) : Result<std::optional<InputEndpoint>>(fail(route.error()));
        if (!input) {
            problems.push_back({one.name, fmt::format("route '{}': {}", one.name, input.error().text)});
            continue;
        }
        auto input_name = *input ? (*input)->name() : std::string();
        routes.push_back({std::move(*route), std::move(*input), std::move(input_name), one.priority,
                          time_to_live_of(one, config), one.durability.value_or(otherwise_)});
    }
    routes_ = std::move(routes);
    return problems;
}

std::vector<QueueTarget> Router::targets(const model::Message& message, const model::Identity& sender) const {
    const route::MessageView view(message);
    std::vector<QueueTarget> targets;
    for (const auto& compiled : routes_) {
        if (!route::matches(compiled.route, view)) continue;
        QueueTarget target{compiled.input ? compiled.input_name : upstream_endpoint(sender), compiled.priority,
                           compiled.time_to_live, compiled.durability};
        const auto same = std::ranges::find(targets, target.endpoint, &QueueTarget::endpoint);
        if (same == targets.end()) {
            targets.push_back(std::move(target));
            continue;
        }
        const auto durability = std::max(same->durability, target.durability);
        if (target.priority < same->priority) *same = std::move(target);
        same->durability = durability;
    }
    return targets;
}

std::set<InputEndpoint> Router::inputs() const {
    std::set<InputEndpoint> inputs;
    for (const auto& compiled : routes_)
        if (compiled.input) inputs.insert(*compiled.input);
    return inputs;
}

}  // namespace skerry::hub
