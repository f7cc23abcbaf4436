// For tests: the table files under tests/data, and durations as people write them.
#pragma once

#include "base/clock.hpp"

#include <boost/json/value.hpp>

#include <filesystem>
#include <string_view>
#include <vector>

namespace skerry::agent {

// All *.json files of tests/data/<folder>, sorted.
[[nodiscard]] std::vector<std::filesystem::path> table_files(std::string_view folder);
// What the file holds; throws when it is no JSON.
[[nodiscard]] boost::json::value read_json(const std::filesystem::path& file);
// "400ms", "9s", "10m", "1h".
[[nodiscard]] Duration parse_duration(std::string_view text);

}  // namespace skerry::agent
