// Values within JSON bodies: "$body.machine.readings[0].temperature" (edge-hub.md 4.6), and which of them conditions
// ask for.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::route {

struct BodyStep {
    std::string name;
    std::optional<std::size_t> index;
};
using BodyPath = std::vector<BodyStep>;

// What follows "$body.": names with at most one index each.
[[nodiscard]] Result<BodyPath> parse_body_path(std::string_view text);

// The paths that the conditions of a set of routes ask for, as a tree of the places they lead through: one reading of a
// body answers all of them. Grows while conditions are compiled, with their texts; after that it is only read.
class BodyPaths {
public:
    using Place = std::uint32_t;
    static constexpr Place root = 0;
    static constexpr Place nowhere = std::numeric_limits<Place>::max();

    // The place that the path leads to.
    Place add(const BodyPath& path);

    [[nodiscard]] std::size_t size() const { return nodes_.size(); }
    // `nowhere` when no condition asks for anything there.
    [[nodiscard]] Place member(Place from, std::string_view name) const;
    [[nodiscard]] Place element(Place from, std::size_t index) const;
    [[nodiscard]] const std::vector<Place>& members(Place from) const { return nodes_[from].members; }
    [[nodiscard]] const std::vector<Place>& elements(Place from) const { return nodes_[from].elements; }

private:
    struct Node {
        std::string name;               // of a member
        std::size_t index{0};           // of an element
        std::vector<Place> members{};   // by size and text of their names
        std::vector<Place> elements{};  // by index
    };
    Place add_node(Node node);

    std::vector<Node> nodes_{1};
};

// Whether Newtonsoft's reader would turn this text into a date.
[[nodiscard]] bool looks_like_date(std::string_view text);

}  // namespace skerry::route
