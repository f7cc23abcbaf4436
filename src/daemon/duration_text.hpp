// Durations and counts as people write them: "1 day", "90m", "2h 30min", "7d".
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace skerry::daemon {

// Digits only: no sign, no blank, nothing behind.
[[nodiscard]] std::optional<std::int64_t> whole_number(std::string_view text);

// nullopt for anything else, and for more than 100 years.
[[nodiscard]] std::optional<std::chrono::seconds> parse_duration(std::string_view text);

}  // namespace skerry::daemon
