#include "cli/routes/deployment.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <fmt/format.h>

#include <string_view>
#include <utility>
#include <variant>

namespace skerry::cli {

namespace json = boost::json;

namespace {
const json::object* object_at(const json::object& parent, std::string_view name) {
    const auto* const found = parent.if_contains(name);
    return found != nullptr ? found->if_object() : nullptr;
}

// A layered deployment adds single routes by their paths.
void add_layers(const json::object& content, json::object& desired) {
    constexpr std::string_view below = "properties.desired.routes.";
    for (const auto& [key, value] : content) {
        if (!std::string_view(key).starts_with(below)) continue;
        auto& routes = desired["routes"];
        if (!routes.is_object()) routes = json::object{};
        routes.get_object()[std::string_view(key).substr(below.size())] = value;
    }
}

std::optional<std::set<std::string>> modules_of(const json::object& modules_content) {
    const auto* const agent = object_at(modules_content, "$edgeAgent");
    const auto* const desired = agent != nullptr ? object_at(*agent, "properties.desired") : nullptr;
    const auto* const modules = desired != nullptr ? object_at(*desired, "modules") : nullptr;
    if (modules == nullptr) return std::nullopt;
    std::set<std::string> names;
    for (const auto& [name, value] : *modules)
        if (!value.is_null()) names.emplace(name);
    return names;
}

DeploymentRoutes compile_all(model::ParsedHubConfig parsed) {
    DeploymentRoutes out;
    out.problems = std::move(parsed.problems);
    out.time_to_live_seconds = parsed.config.time_to_live_seconds;
    route::RouteSet set;
    for (auto& config : parsed.config.routes) {
        auto compiled = set.compile(config.text);
        if (compiled)
            out.routes.push_back({std::move(config), std::move(*compiled)});
        else
            out.problems.push_back({config.name, fmt::format("route '{}': {}", config.name, compiled.error().text)});
    }
    return out;
}
}  // namespace

Result<DeploymentRoutes> read_deployment(const json::object& document) {
    const auto* const wrapped = object_at(document, "content");
    const auto* const content = object_at(wrapped != nullptr ? *wrapped : document, "modulesContent");
    if (content == nullptr && !document.contains("routes"))
        return fail(Errc::malformed, "it is no deployment manifest: there is neither modulesContent nor routes");
    json::object desired = document;
    if (content != nullptr) {
        const auto* const hub = object_at(*content, "$edgeHub");
        if (hub == nullptr)
            return fail(Errc::malformed, "the deployment says nothing about $edgeHub: it has no routes");
        const auto* const whole = object_at(*hub, "properties.desired");
        // A layer alone has no version of its own.
        desired = whole != nullptr ? *whole
                                   : json::object{{"schemaVersion", "1.1"},
                                                  {"routes", json::object{}},
                                                  {"storeAndForwardConfiguration", {{"timeToLiveSecs", 7200}}}};
        add_layers(*hub, desired);
    }
    auto parsed = model::parse_hub_config(desired);
    if (!parsed) return fail(parsed.error().while_doing("the desired properties of $edgeHub"));
    auto routes = compile_all(std::move(*parsed));
    if (content != nullptr) routes.modules = modules_of(*content);
    return routes;
}

std::string name_of(const route::Endpoint& endpoint) {
    const auto* const input = std::get_if<route::ModuleInput>(&endpoint);
    return input != nullptr ? fmt::format("modules/{}/inputs/{}", input->module, input->input) : "$upstream";
}

}  // namespace skerry::cli
