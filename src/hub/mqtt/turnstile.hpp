// Lets the publishes of all connections through a few at a time, so that deliveries and acknowledgements keep pace: a
// crowd of publishers must not starve the one consumer of what it publishes.
//
// Promises: between two turns of the loop at most `batches_per_turn` batches pass, first come, first served.
// Bounds:   one waiter per connection.
// Threads:  the loop's. Closed before the connections that wait are destroyed.
#pragma once

#include "base/event.hpp"
#include "base/task_scope.hpp"

#include <cstddef>
#include <deque>

namespace skerry::hub::mqtt {

inline constexpr std::size_t publishes_per_batch = 16;
inline constexpr std::size_t batches_per_turn = 1;

class Turnstile {
public:
    explicit Turnstile(const Executor& executor) : turns_(executor) {}

    // Waits until another batch may pass; `mine` is the caller's own, used by nobody else meanwhile.
    [[nodiscard]] Task<> pass(Event& mine);
    [[nodiscard]] bool is_open() const { return left_ > 0 && waiting_.empty(); }
    // As pass(), when is_open().
    void take();
    [[nodiscard]] Task<> close() { co_await turns_.close(); }

private:
    void ask_for_turn();
    [[nodiscard]] Task<> next_turn();

    std::size_t left_{batches_per_turn};
    bool asked_{false};
    std::deque<Event*> waiting_;
    TaskScope turns_;
};

}  // namespace skerry::hub::mqtt
