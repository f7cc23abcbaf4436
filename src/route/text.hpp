// Text as the routing language counts it: in UTF-16 units, over UTF-8 storage.
//
// Half a surrogate pair (from "\uD800", or a substring that cuts one) is kept as three bytes, so that nothing gets
// lost.
#pragma once

#include <compare>
#include <cstddef>
#include <string>
#include <string_view>

namespace skerry::route {

[[nodiscard]] std::u16string to_utf16(std::string_view text);  // what is no UTF-8 becomes U+FFFD
[[nodiscard]] std::string to_utf8(std::u16string_view text);

[[nodiscard]] std::strong_ordering compare_ordinal(std::string_view a, std::string_view b);  // by UTF-16 units
[[nodiscard]] std::size_t length_in_utf16(std::string_view text);
// Where the given UTF-16 unit begins in `text`; npos when that is in the middle of a character.
[[nodiscard]] std::size_t byte_offset(std::string_view text, std::size_t utf16_offset);

[[nodiscard]] std::string to_lower_invariant(std::string_view text);
[[nodiscard]] std::string to_upper_invariant(std::string_view text);

// A string literal without its quotes: \uXXXX first, then \" \' \\, in two passes as the existing hub does it.
[[nodiscard]] std::string unescape(std::string_view literal);

}  // namespace skerry::route
