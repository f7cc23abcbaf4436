// A module's last words, for a report: from the engine's log frames to a few short lines.
//
// Promises: valid UTF-8 without control characters (what is none becomes '?'); at most `last_lines` lines of
//           `line_bytes` bytes. Frames that are broken or cut off end the text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace skerry::agent {

inline constexpr std::size_t last_lines = 5;
inline constexpr std::size_t line_bytes = 200;

// `frames`: 1 byte stream, 3 zero bytes, 4 bytes length (big-endian), payload. The lines are separated by '\n'.
[[nodiscard]] std::string last_words(std::string_view frames);

}  // namespace skerry::agent
