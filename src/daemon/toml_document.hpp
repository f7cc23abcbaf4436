// TOML text as a JSON object; toml++ stays in toml_document.cpp. Dates become texts.
#pragma once

#include "base/result.hpp"

#include <boost/json/object.hpp>

#include <string_view>

namespace skerry::daemon {

// Errc::malformed with line and column. 1 MB and 32 levels at most.
[[nodiscard]] Result<boost::json::object> parse_toml(std::string_view text);

}  // namespace skerry::daemon
