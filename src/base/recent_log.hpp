// The last lines that this process wrote to its log, for whoever asks when no journal keeps them.
//
// Promises: what is kept is what was written, line by line, with its time, in the text format.
// Bounds:   the bytes of text given to keep_recent(); older lines go first.
// Threads:  as log.hpp.
#pragma once

#include "base/clock.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace skerry::log {

struct RecentLine {
    WallTime time;
    std::string text;  // with its newline
};

// From now on; a later call sets another bound. The first one before other threads write to the log.
void keep_recent(std::size_t bytes);

// Oldest first; none without keep_recent().
[[nodiscard]] std::vector<RecentLine> recent_lines();

}  // namespace skerry::log
