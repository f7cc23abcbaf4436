#include "cli/routes/lint.hpp"

#include "base/encoding.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace skerry::cli {

namespace {
// A route's source as the places it names: {"messages", "modules", "<module>", "outputs", "<output>"} or fewer.
std::vector<std::string_view> parts_of(std::string_view source) {
    std::vector<std::string_view> parts;
    while (source.starts_with('/')) source.remove_prefix(1);
    while (!source.empty()) {
        const auto slash = source.find('/');
        parts.push_back(source.substr(0, slash));
        source.remove_prefix(slash == std::string_view::npos ? source.size() : slash + 1);
    }
    return parts;
}

// nullopt: from more than one module, or none.
std::optional<std::string_view> module_of(const std::vector<std::string_view>& parts) {
    if (parts.size() < 3 || !equals_ignoring_case(parts[0], "messages") || !equals_ignoring_case(parts[1], "modules"))
        return std::nullopt;
    return parts[2];
}

// Messages come from /messages/, /messages/modules/<module>/[outputs/<output>/] and /twinChangeNotifications/.
bool is_known_source(const std::vector<std::string_view>& parts) {
    constexpr std::string_view pattern[] = {"messages", "modules", "", "outputs", ""};
    if (parts.size() == 1 && equals_ignoring_case(parts[0], "twinChangeNotifications")) return true;
    if (parts.size() > std::size(pattern)) return false;
    for (std::size_t i = 0; i < parts.size(); ++i)
        if (!pattern[i].empty() && !equals_ignoring_case(parts[i], pattern[i])) return false;
    return true;
}

class Linter {
public:
    explicit Linter(const DeploymentRoutes& deployment) : deployment_(deployment) {}

    std::vector<Finding> run() {
        for (const auto& problem : deployment_.problems) findings_.push_back({problem.where, problem.text});
        for (const auto& route : deployment_.routes) {
            check_modules(route);
            check_matches(route);
            check_twice(route);
        }
        find_cycles();
        return std::move(findings_);
    }

private:
    void say(const NamedRoute& route, std::string_view what) {
        findings_.push_back({route.config.name, fmt::format("route '{}': {}", route.config.name, what)});
    }

    [[nodiscard]] bool has_module(std::string_view name) const {
        return !deployment_.modules || std::ranges::any_of(*deployment_.modules, [name](const auto& module) {
            return equals_ignoring_case(module, name);
        });
    }

    void check_modules(const NamedRoute& route) {
        const auto from = module_of(parts_of(route.compiled.source));
        if (from && *from != "*" && !has_module(*from))
            say(route, fmt::format("the deployment has no module '{}' to send", *from));
        const auto* const to = std::get_if<route::ModuleInput>(&route.compiled.endpoint);
        if (to != nullptr && !has_module(to->module))
            say(route, fmt::format("the deployment has no module '{}' to receive: its messages would wait in the store",
                                   to->module));
    }

    void check_matches(const NamedRoute& route) {
        if (route.compiled.source.find('*') != std::string::npos)
            say(route,
                fmt::format("it never matches: '*' stands for anything only at the end of a source, not within {}",
                            route.compiled.source));
        else if (!is_known_source(parts_of(route.compiled.source)))
            say(route, fmt::format("it never matches: no message comes from {}; sources are /messages/*, "
                                   "/messages/modules/<module>/outputs/<output> and /twinChangeNotifications/*",
                                   route.compiled.source));
        const auto constant = route.compiled.condition.constant();
        if (constant == route::Truth::no) say(route, "it never matches: its condition is always false");
        if (constant == route::Truth::undefined)
            say(route,
                "it never matches: its condition is always undefined; a value alone is no condition, compare it");
    }

    void check_twice(const NamedRoute& route) {
        const auto same = [&](const NamedRoute& other) {
            return &other != &route && equals_ignoring_case(other.compiled.source, route.compiled.source) &&
                   other.compiled.endpoint == route.compiled.endpoint &&
                   other.compiled.condition.same_as(route.compiled.condition);
        };
        const auto first = std::ranges::find_if(deployment_.routes, same);
        if (first != deployment_.routes.end() && &*first < &route)
            say(route, fmt::format("it says the same as route '{}': one of them is enough", first->config.name));
    }

    // A module that receives what it causes may send for ever; which output answers which input, only it knows.
    void find_cycles() {
        for (const auto& route : deployment_.routes) {
            const auto from = module_of(parts_of(route.compiled.source));
            const auto* const to = std::get_if<route::ModuleInput>(&route.compiled.endpoint);
            if (from && to != nullptr) edges_.push_back({to_lower(*from), to_lower(to->module), &route});
        }
        for (const auto& edge : edges_) {
            path_.clear();
            seen_.clear();
            walk(edge.from, edge.from);
        }
    }

    // Looks for a way back to `start`; reports a circle once, from the alphabetically first of its modules.
    void walk(const std::string& start, const std::string& at) {
        for (const auto& edge : edges_) {
            if (edge.from != at || edge.to < start) continue;
            if (edge.to == start) {
                report_cycle(start, edge);
            } else if (seen_.insert(edge.to).second) {
                path_.push_back(&edge);
                walk(start, edge.to);
                path_.pop_back();
            }
        }
    }

    struct Edge {
        std::string from;
        std::string to;
        const NamedRoute* route;
    };

    void report_cycle(const std::string& start, const Edge& last) {
        std::vector<std::string> modules{start};
        std::vector<std::string> routes;
        for (const auto* const edge : path_) {
            modules.push_back(edge->to);
            routes.push_back(edge->route->config.name);
        }
        modules.push_back(start);
        routes.push_back(last.route->config.name);
        if (!circles_.insert(modules).second) return;
        findings_.push_back({routes.front(), fmt::format("messages may go round for ever: {} (routes {})",
                                                         fmt::join(modules, " -> "), fmt::join(routes, ", "))});
    }

    const DeploymentRoutes& deployment_;
    std::vector<Finding> findings_;
    std::vector<Edge> edges_;
    std::vector<const Edge*> path_;
    std::set<std::string> seen_;
    std::set<std::vector<std::string>> circles_;  // those reported, by their modules
};
}  // namespace

std::vector<Finding> lint(const DeploymentRoutes& deployment) { return Linter(deployment).run(); }

}  // namespace skerry::cli
