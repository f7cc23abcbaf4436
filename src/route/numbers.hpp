// Numbers in text: as literals, and as .NET's double.TryParse with NumberStyles.Any and the invariant culture reads
// them.
#pragma once

#include <optional>
#include <string_view>

namespace skerry::route {

// Blanks around, one sign before or behind, parentheses for negative, thousands commas, exponent, the currency sign;
// Infinity and NaN by name. Too large is infinite.
[[nodiscard]] std::optional<double> parse_number(std::string_view text);

// "0x1F" as a 64-bit integer (two's complement); nullopt for more than 16 digits.
[[nodiscard]] std::optional<double> parse_hex(std::string_view text);

}  // namespace skerry::route
