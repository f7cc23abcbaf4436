// What the desired properties of $edgeHub say (edge-hub.md 7.4): routes and store-and-forward settings.
//
// Promise:  one bad route is reported by name and leaves the others usable; only a document that says nothing
//           reliable (schema version, missing sections, wrong store settings) is refused whole.
#pragma once

#include "base/durability.hpp"
#include "base/result.hpp"

#include <boost/json/fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace skerry::model {

inline constexpr std::uint32_t default_route_priority = 2000000000;  // lower numbers go first

struct RouteConfig {
    std::string name;
    std::string text;  // "FROM … INTO …", not compiled yet
    std::uint32_t priority{default_route_priority};
    std::uint32_t time_to_live_seconds{0};  // 0: the global one
    std::optional<Durability> durability;   // absent: the hub's
};

// In seconds, of the messages of a route: its own, else the global one; nullopt: for ever.
[[nodiscard]] inline std::optional<std::uint32_t> time_to_live_of(const RouteConfig& route,
                                                                  std::optional<std::uint32_t> global) {
    return route.time_to_live_seconds != 0 ? route.time_to_live_seconds : global;
}

struct HubConfig {
    std::string schema_version;
    std::vector<RouteConfig> routes;                          // in the order of their names
    std::optional<std::uint32_t> time_to_live_seconds{7200};  // nullopt: messages never expire
    std::optional<std::uint64_t> store_limit_bytes;
};

struct ConfigProblem {
    std::string where;  // a route's name, or the section
    std::string text;   // names it too: "route 'alerts': priority 12 is not in 0..9"
};

struct ParsedHubConfig {
    HubConfig config;
    std::vector<ConfigProblem> problems;
    std::vector<std::string> notes;  // on what has no effect; nothing is wrong with it
};

// Errc::unsupported for a schema version we don't know, Errc::malformed for the rest.
[[nodiscard]] Result<ParsedHubConfig> parse_hub_config(const boost::json::object& desired);

}  // namespace skerry::model
