// Values within JSON bodies: "$body.machine.readings[0].temperature" (edge-hub.md 4.6).
#pragma once

#include "base/result.hpp"
#include "route/value.hpp"

#include <boost/json/fwd.hpp>

#include <cstddef>
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

// A scalar, `missing`, or undefined for objects, arrays and what the existing hub takes for dates. Texts live in the
// body.
[[nodiscard]] Value find_in_body(const boost::json::object& body, const BodyPath& path);

// Whether Newtonsoft's reader would turn this text into a date.
[[nodiscard]] bool looks_like_date(std::string_view text);

}  // namespace skerry::route
