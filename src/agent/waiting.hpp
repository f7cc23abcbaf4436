// Waiting for an event, but not for ever.
#pragma once

#include "base/clock.hpp"
#include "base/event.hpp"
#include "base/task.hpp"

namespace skerry::agent {

// Returns when `event` is set or `limit` has passed; resets the event.
[[nodiscard]] Task<> wait_at_most(Clock& clock, Event& event, Duration limit);

}  // namespace skerry::agent
