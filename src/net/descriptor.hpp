// A non-blocking descriptor and its readiness on the loop: what every socket of this library waits through.
//
// Promises: a wait ends with Errc::closed when close() is called, also when the Descriptor is destroyed meanwhile; the
//           waiter must then not touch its owner any more. Cancellation of the task unwinds the wait.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/task.hpp"

#include <memory>

namespace skerry::net {

class Descriptor {
public:
    // Takes ownership of `number` (also when it fails) and makes it non-blocking.
    [[nodiscard]] static Result<Descriptor> adopt(const Executor& executor, int number);
    Descriptor(Descriptor&&) noexcept;
    Descriptor& operator=(Descriptor&&) noexcept;
    ~Descriptor();

    [[nodiscard]] bool is_open() const;
    [[nodiscard]] int number() const;  // -1 once closed
    void close();
    [[nodiscard]] Executor executor() const;

    enum class Until { readable, writable };
    [[nodiscard]] Task<Result<>> wait(Until until);
    [[nodiscard]] Task<Result<>> pause(Duration duration);

    // A peer that always has data must not keep the loop for itself: ask before each transfer that may not wait, and
    // let the others run when it says so.
    [[nodiscard]] bool turn_is_over();
    [[nodiscard]] Task<Result<>> next_turn();

private:
    struct State;
    explicit Descriptor(std::shared_ptr<State> state);
    // Shared with the coroutines that wait: they may outlive us by one turn of the loop.
    std::shared_ptr<State> state_;
};

[[nodiscard]] Error closed_here();

}  // namespace skerry::net
