#include "model/hub_config.hpp"

#include "model/fields.hpp"
#include "model/schema_version.hpp"

#include <fmt/format.h>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace skerry::model {

namespace json = boost::json;

namespace {
// A route is a text, or from schema 1.1 on an object with priority, time to live and durability. nullopt for a blank
// one.
std::optional<RouteConfig> read_route(std::string name, const json::value& entry, int minor, std::string& problem) {
    RouteConfig route;
    route.name = std::move(name);
    const auto where = fmt::format("route '{}'", route.name);
    if (entry.is_string()) {
        route.text = std::string(entry.get_string());
    } else if (const auto* object = entry.if_object(); object != nullptr && minor >= 1) {
        Fields fields(*object, where, problem);
        route.text = fields.required_text("route");
        route.priority = static_cast<std::uint32_t>(fields.number("priority", 9).value_or(default_route_priority));
        const auto time_to_live = fields.number("timeToLiveSecs", std::numeric_limits<std::uint32_t>::max());
        route.time_to_live_seconds = static_cast<std::uint32_t>(time_to_live.value_or(0));
        if (const auto durability = fields.text("durability"); !durability.empty()) {
            route.durability = parse_durability(durability);
            if (!route.durability)
                fields.complain("durability", fmt::format("'{}' is none: must be {}", durability, durability_names));
        }
    } else if (entry.is_object()) {
        problem = fmt::format("{}: an object needs schemaVersion 1.1; write the route as a text", where);
    } else {
        problem = fmt::format("{}: must be a text or an object", where);
    }
    if (trimmed(route.text).empty()) return std::nullopt;
    return route;
}

void read_routes(const json::object& routes, int minor, ParsedHubConfig& out) {
    for (const auto& [name, entry] : routes) {
        if (entry.is_null()) continue;
        std::string problem;
        auto route = read_route(std::string(name), entry, minor, problem);
        if (!problem.empty())
            out.problems.push_back({std::string(name), std::move(problem)});
        else if (route)
            out.config.routes.push_back(std::move(*route));
    }
    std::ranges::sort(out.config.routes, {}, &RouteConfig::name);
}

void read_store_settings(Fields& top, bool required, std::string& problem, HubConfig& config) {
    constexpr std::string_view section = "storeAndForwardConfiguration";
    const auto* object = required ? top.required_object(section) : top.object(section);
    if (object == nullptr) return;
    Fields fields(*object, std::string(section), problem);
    const auto* time_to_live = fields.find("timeToLiveSecs");
    if (time_to_live != nullptr && time_to_live->is_int64() && time_to_live->get_int64() < 0)
        config.time_to_live_seconds = std::nullopt;
    else if (const auto seconds = fields.number("timeToLiveSecs", std::numeric_limits<std::int32_t>::max()))
        config.time_to_live_seconds = static_cast<std::uint32_t>(*seconds);
    if (const auto* limits = fields.object("storeLimits")) {
        Fields inner(*limits, fields.path_of("storeLimits"), problem);
        config.store_limit_bytes = inner.number("maxSizeBytes", std::numeric_limits<std::int64_t>::max());
    }
}
// Sections that the existing hub reads and uses for nothing, or for what is not here.
void note_unused(const Fields& top, ParsedHubConfig& out) {
    constexpr std::pair<std::string_view, std::string_view> sections[] = {
        {"mqttBroker", "there is no broker for topics of one's own; bridges and authorizations have no effect"},
        {"integrity", "signatures of the hub's configuration are not checked"},
    };
    for (const auto& [name, why] : sections) {
        const auto* value = top.find(name);
        if (value == nullptr) continue;
        if (!value->is_object())
            out.problems.push_back({std::string(name), fmt::format("{}: must be an object", name)});
        else if (!value->get_object().empty())
            out.notes.push_back(fmt::format("{}: {}", name, why));
    }
}
}  // namespace

Result<ParsedHubConfig> parse_hub_config(const json::object& desired) {
    std::string problem;
    Fields top(desired, {}, problem);
    ParsedHubConfig out;
    out.config.schema_version = top.text("schemaVersion");
    if (!problem.empty()) return fail(Errc::malformed, problem);
    if (trimmed(out.config.schema_version).empty()) return fail(Errc::malformed, "missing SchemaVersion");
    const auto version = parse_schema_version(out.config.schema_version);
    if (!version || version->major != 1 || version->minor > 3)
        return fail(Errc::unsupported,
                    fmt::format("EdgeHub config contains unsupported SchemaVersion: {}", out.config.schema_version));

    const bool required = version->minor >= 1;
    if (const auto* routes = required ? top.required_object("routes") : top.object("routes"))
        read_routes(*routes, version->minor, out);
    read_store_settings(top, required, problem, out.config);
    if (!problem.empty()) return fail(Errc::malformed, problem);

    note_unused(top, out);
    return out;
}

}  // namespace skerry::model
