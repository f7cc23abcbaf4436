// Settings of the existing runtime that have no effect here: whoever has set one is told, and told why.
#pragma once

#include "daemonapi/environment.hpp"

#include <span>
#include <string_view>
#include <vector>

namespace skerry::daemonapi {

struct IgnoredSetting {
    std::string_view name;   // ends with '*': all that begin so
    std::string_view as_is;  // the value that asks for what happens here anyway; "*": any
    bool matters;            // whoever set it may be surprised
    std::string_view why;
};

// Those of `all` that are set, and not to what happens anyway. They point into `all`.
[[nodiscard]] std::vector<const IgnoredSetting*> ignored_in(std::span<const IgnoredSetting> all,
                                                            const Environment& environment);
// A line in the log for each: a warning if it matters.
void tell_of_ignored(std::span<const IgnoredSetting> all, const Environment& environment);

}  // namespace skerry::daemonapi
