// A change of the engine's modules, as with_timeout and first_of want it.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "engine/engine.hpp"

#include <cstdint>

namespace skerry::daemon {

// Waits until engine.changes() is not `seen` any more.
[[nodiscard]] inline Task<Result<>> changed(engine::Engine& engine, std::uint64_t seen) {
    co_await engine.wait_change(seen);
    co_return Result<>{};
}

}  // namespace skerry::daemon
