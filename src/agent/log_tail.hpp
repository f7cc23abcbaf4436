// A module's last words, for a report: from the engine's log frames to a few short lines.
//
// Promises: valid UTF-8 without control characters (what is none becomes '?'); at most `last_lines` lines of
//           `line_bytes` bytes. A frame that is broken ends the text, one that is cut off gives what is there. A
//           terminal's log, which has no frames, is taken as it is.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace skerry::agent {

inline constexpr std::size_t last_lines = 5;
inline constexpr std::size_t line_bytes = 200;

// `log` as daemonapi::LogFrames takes it. The lines are separated by '\n'.
[[nodiscard]] std::string last_words(std::string_view log);

}  // namespace skerry::agent
