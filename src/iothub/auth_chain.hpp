// An auth chain as it is written: "leaf;edge3;edge2" or "edge3/m;edge3;edge2", whom somebody acts for first, who acts
// last (edge-hub.md 8.4).
//
// Bound: 16 ids.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace skerry::iothub {

// Blanks around ids and empty places are skipped. Errc::malformed for an invalid id or too many; none is no error.
[[nodiscard]] Result<std::vector<std::string>> parse_auth_chain(std::string_view text);
[[nodiscard]] std::string format_auth_chain(const std::vector<std::string>& chain);

}  // namespace skerry::iothub
