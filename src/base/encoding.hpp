// Bytes as text and back. Bytes are std::string and std::string_view throughout Skerry.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skerry {

[[nodiscard]] std::string base64_encode(std::string_view bytes);
// Standard alphabet, padding required; nullopt for anything else.
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

[[nodiscard]] std::string hex_encode(std::string_view bytes);  // lower case
[[nodiscard]] std::optional<std::string> hex_decode(std::string_view text);

// RFC 3986: everything but A-Z a-z 0-9 - . _ ~ becomes %XX (upper case).
[[nodiscard]] std::string percent_encode(std::string_view text);
// nullopt for a broken escape. '+' stays '+'.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

[[nodiscard]] bool is_utf8(std::string_view text);

[[nodiscard]] std::string to_lower(std::string_view text);                        // ASCII only
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b);  // ASCII only

// Little-endian integers appended to, and read from, byte strings. `at + sizeof(T)` must be inside.
template <class T>
void put_le(std::string& out, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i)
        out.push_back(static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i) & 0xff));
}
template <class T>
[[nodiscard]] T get_le(std::string_view bytes, std::size_t at) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i)
        value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
    return static_cast<T>(value);
}

}  // namespace skerry
