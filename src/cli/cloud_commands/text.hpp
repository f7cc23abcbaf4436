// JSON and lists as people read them.
#pragma once

#include <boost/json/fwd.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace skerry::cli {

// Indented by two spaces, with a newline at the end.
[[nodiscard]] std::string pretty(const boost::json::value& value);

// Columns as wide as their widest cell, two spaces between them. The first row is the heading.
[[nodiscard]] std::string table(const std::vector<std::vector<std::string>>& rows);

// One event of the log: "2026-01-01T10:00:00.000Z  device/module  body  {property=value}". Control characters of the
// body and properties are shown as '?': what a device sends must not reach the terminal's own language.
[[nodiscard]] std::string event_text(std::string_view json_line);

// A member's text; "" when it is absent or none.
[[nodiscard]] std::string text_of(const boost::json::object& object, std::string_view name);

}  // namespace skerry::cli
