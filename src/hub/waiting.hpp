// Small waits that several parts of the hub need.
#pragma once

#include "base/event.hpp"
#include "base/timeout.hpp"

namespace skerry::hub {

namespace detail {
inline Task<Result<>> wait_for(Event& event) {
    co_await event.wait();
    co_return Result<>{};
}
}  // namespace detail

// Waits until `event` is set, at most `limit`; true when it was set. `event` outlives the call.
[[nodiscard]] inline Task<bool> wait_at_most(Clock& clock, Duration limit, Event& event) {
    if (event.is_set()) co_return true;
    co_return (co_await with_timeout<void>(clock, limit, detail::wait_for(event))).has_value();
}

}  // namespace skerry::hub
