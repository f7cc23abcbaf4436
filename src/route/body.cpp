#include "route/body.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace skerry::route {

namespace {
std::unexpected<Error> bad_path(std::string_view text, std::string_view what) {
    return fail(Errc::malformed, fmt::format("'$body.{}' is no path into a body: {}", text, what));
}

bool is_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

Result<BodyStep> parse_step(std::string_view text, std::string_view part) {
    BodyStep step;
    const auto open = part.find('[');
    const auto name = part.substr(0, open);
    if (name.empty()) return bad_path(text, "a name is missing");
    if (is_number(name)) return bad_path(text, fmt::format("'{}' is a number where a name is expected", name));
    if (name == "*" || name == "$") return bad_path(text, fmt::format("'{}' is not supported", name));
    if (name.find(']') != std::string_view::npos) return bad_path(text, "']' without '['");
    step.name = name;
    if (open == std::string_view::npos) return step;
    const auto close = part.find(']', open);
    if (close == std::string_view::npos || close + 1 != part.size())
        return bad_path(text, "after a name there may be one index like [0]");
    const auto digits = part.substr(open + 1, close - open - 1);
    std::int32_t index = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    if (!is_number(digits) || error != std::errc()) return bad_path(text, "an index must be a whole number");
    step.index = static_cast<std::size_t>(index);
    return step;
}

// Most names differ in their sizes: that costs less than to compare texts.
bool precedes(std::string_view a, std::string_view b) {
    return a.size() != b.size() ? a.size() < b.size() : std::memcmp(a.data(), b.data(), a.size()) < 0;
}
}  // namespace

Result<BodyPath> parse_body_path(std::string_view text) {
    BodyPath path;
    auto rest = text;
    for (;;) {
        const auto dot = rest.find('.');
        auto step = parse_step(text, rest.substr(0, dot));
        if (!step) return fail(step.error());
        path.push_back(std::move(*step));
        if (dot == std::string_view::npos) return path;
        rest.remove_prefix(dot + 1);
    }
}

BodyPaths::Place BodyPaths::add(const BodyPath& path) {
    auto at = root;
    for (const auto& step : path) {
        auto next = member(at, step.name);
        if (next == nowhere) {
            next = add_node({.name = step.name});
            auto& members = nodes_[at].members;
            const auto named = [this](Place place) -> std::string_view { return nodes_[place].name; };
            members.insert(std::ranges::lower_bound(members, std::string_view(step.name), precedes, named), next);
        }
        at = next;
        if (!step.index) continue;
        next = element(at, *step.index);
        if (next == nowhere) {
            next = add_node({.name = {}, .index = *step.index});
            auto& elements = nodes_[at].elements;
            const auto indexed = [this](Place place) { return nodes_[place].index; };
            elements.insert(std::ranges::lower_bound(elements, *step.index, {}, indexed), next);
        }
        at = next;
    }
    return at;
}

BodyPaths::Place BodyPaths::add_node(Node node) {
    nodes_.push_back(std::move(node));
    return static_cast<Place>(nodes_.size() - 1);
}

BodyPaths::Place BodyPaths::member(Place from, std::string_view name) const {
    const auto& members = nodes_[from].members;
    if (members.size() <= 4) {
        for (const auto place : members)
            if (nodes_[place].name == name) return place;
        return nowhere;
    }
    const auto found = std::ranges::lower_bound(members, name, precedes,
                                                [this](Place place) -> std::string_view { return nodes_[place].name; });
    return found != members.end() && nodes_[*found].name == name ? *found : nowhere;
}

BodyPaths::Place BodyPaths::element(Place from, std::size_t index) const {
    const auto& elements = nodes_[from].elements;
    const auto found =
        std::ranges::lower_bound(elements, index, {}, [this](Place place) { return nodes_[place].index; });
    return found != elements.end() && nodes_[*found].index == index ? *found : nowhere;
}

}  // namespace skerry::route
