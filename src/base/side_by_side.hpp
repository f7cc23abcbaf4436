// Several coroutines at once, but not all of many.
#pragma once

#include "base/task.hpp"

#include <cstddef>
#include <vector>

namespace skerry {

// Runs the tasks in their order, at most `most` (at least one) at a time, and returns when all have ended. When the
// caller is cancelled, those that run are cancelled, those that don't are dropped, and all have ended when this
// returns: they may refer to the caller's frame. One that throws is logged; the others go on.
// Threads: the loop's.
[[nodiscard]] Task<> run_side_by_side(std::vector<Task<>> tasks, std::size_t most);

}  // namespace skerry
