// What a parsed command line asks for. Commands fill it in their CLI11 callbacks; apps/skerry runs it.
#pragma once

#include "base/event.hpp"
#include "base/log.hpp"
#include "base/task.hpp"
#include "platform/platform.hpp"

#include <functional>
#include <optional>

namespace skerry::cli {

// Runs on the role's loop and returns the exit status. A plain function or a plain lambda that calls a named coroutine
// with values: a coroutine lambda's captures would die with the lambda.
using Action = std::function<Task<int>(Platform platform, Event& stop)>;

struct Invocation {
    Action action;                // empty: nothing to run (help was printed)
    std::function<int()> filter;  // instead: only reads and writes the standard streams, and signals end it
    std::optional<log::Level> log_level;
    log::Format log_format{log::Format::text};
};

}  // namespace skerry::cli
