// The frame of a module's main(): a loop with the system's clock, sockets, files and randomness.
#pragma once

#include "base/event.hpp"
#include "platform/platform.hpp"

#include <functional>

namespace skerry::sdk {

// Runs `main` to its end and returns its value; `stop` is set on SIGTERM and SIGINT. An exception is reported and
// gives 1.
int run_module(const std::function<Task<int>(Platform platform, Event& stop)>& main);

}  // namespace skerry::sdk
