// A file descriptor that a coroutine can wait on: a pidfd, a pipe, an inotify instance. Sockets belong to net.
//
// Threads: the loop's thread only.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"

#include <memory>

namespace skerry {

class Descriptor {
public:
    // Takes ownership of `descriptor`, also when this fails (regular files can't be waited on).
    [[nodiscard]] static Result<Descriptor> adopt(const Executor& executor, int descriptor);
    ~Descriptor();
    Descriptor(Descriptor&&) noexcept;
    Descriptor& operator=(Descriptor&&) noexcept;

    // Waits until a read would not block; hang-ups and errors count: the read then says which.
    // Destroying the Descriptor meanwhile ends the wait with a cancellation.
    [[nodiscard]] Task<> wait_readable();
    [[nodiscard]] int get() const;

private:
    struct State;
    explicit Descriptor(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace skerry
