// The event loop of a role: one thread, coroutines, no locks.
#pragma once

#include "base/event.hpp"
#include "base/task.hpp"

#include <functional>
#include <memory>

namespace skerry {

class Loop {
public:
    Loop();
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    [[nodiscard]] Executor executor();

    // Runs `main` to its end on the calling thread and returns its value. `stop` is set on the first SIGINT or SIGTERM;
    // `main` then winds down in order. A second signal ends the process at once with 128 + its number.
    // With Signals::ignored nobody but the caller sets it: for a loop inside somebody else's program.
    enum class Signals { watched, ignored };
    int run(const std::function<Task<int>(Event& stop)>& main, Signals which = Signals::watched);

    // Runs what is ready now, without waiting; for src/sim. Returns how many handlers ran.
    std::size_t poll();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace skerry
