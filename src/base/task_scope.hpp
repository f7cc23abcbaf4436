// The owner of background coroutines: nothing runs without a scope that is closed and awaited.
//
// Promises: close() cancels every task and ends after the last of them, also when its caller is cancelled meanwhile. A
//           task that throws anything but a cancellation is logged with its name; the others go on.
// Threads:  the loop's thread only.
#pragma once

#include "base/task.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace skerry {

class TaskScope {
public:
    explicit TaskScope(Executor executor);
    ~TaskScope();  // cancels what still runs; the coroutines must not touch their owner any more: prefer close()
    TaskScope(const TaskScope&) = delete;
    TaskScope& operator=(const TaskScope&) = delete;

    // Starts `task` on the loop (never inline). After close() began it is dropped unstarted.
    void spawn(std::string name, Task<> task);

    // Asks every task to stop, without waiting.
    void cancel();

    // cancel(), then waits until all tasks have ended. Idempotent. Never call it from a task of this very scope.
    [[nodiscard]] Task<> close();

    // Waits until no task runs (without asking them to stop).
    [[nodiscard]] Task<> idle();

    [[nodiscard]] std::size_t size() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace skerry
