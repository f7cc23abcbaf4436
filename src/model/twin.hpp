// Twin documents: merging patches, computing patches, checking what a module may report.
#pragma once

#include "base/result.hpp"

#include <boost/json/fwd.hpp>

#include <string>

namespace skerry::model {

enum class Nulls { remove, keep };

// Applies `patch` to `document` (both objects): objects merge recursively, anything else replaces; a null removes the
// member, or stays as null when patches are gathered (Nulls::keep).
void merge_patch(boost::json::object& document, const boost::json::object& patch, Nulls nulls = Nulls::remove);

// The patch that leads from `before` to `after`: changed and new members, null for vanished ones. Arrays are compared
// and replaced whole. Empty when they are equal.
[[nodiscard]] boost::json::object diff(const boost::json::object& before, const boost::json::object& after);

// The rules of edge-hub.md 6.4 for a reported patch; Errc::malformed names the property and the rule.
[[nodiscard]] Result<> validate_reported(const boost::json::object& patch);

// Parses text that must be a JSON object. Errc::malformed with the position. Depth is limited to 64.
[[nodiscard]] Result<boost::json::object> parse_object(std::string_view text);

}  // namespace skerry::model
