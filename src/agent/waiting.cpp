#include "agent/waiting.hpp"

#include "base/timeout.hpp"

namespace skerry::agent {

namespace {

Task<Result<>> until_set(Event& event) {
    co_await event.wait();
    co_return Result<>{};
}

}  // namespace

Task<> wait_at_most(Clock& clock, Event& event, Duration limit) {
    if (!event.is_set()) static_cast<void>(co_await with_timeout<void>(clock, limit, until_set(event)));
    event.reset();
}

}  // namespace skerry::agent
