// Reading what bundles and createOptions share: lists of strings, and "K=V" lists.
#pragma once

#include "base/result.hpp"

#include <boost/json/value.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::engine {

// An array of strings, one string (a list of one), or null (empty). Errc::malformed names `field`.
[[nodiscard]] Result<std::vector<std::string>> string_list(const boost::json::value& value, std::string_view field);
// "K=V" entries; later ones win. An entry without '=' has an empty value.
[[nodiscard]] Result<std::map<std::string, std::string>> environment_of(const boost::json::value& value,
                                                                        std::string_view field);
// null, "", {}, [], false and 0: what clients write for "not set".
[[nodiscard]] bool is_unset(const boost::json::value& value);

}  // namespace skerry::engine
