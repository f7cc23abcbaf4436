// A child process that is started, watched and stopped without polling.
//
// Promises: the destructor kills the child's process group: nothing that we started outlives us by accident.
// Threads:  the loop's.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/task.hpp"

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skerry {

struct ChildOptions {
    std::vector<std::string> arguments;              // [0] is the executable's path
    std::map<std::string, std::string> environment;  // on top of our own
    std::optional<std::filesystem::path> output;     // stdout and stderr are appended here; else they are ours
    bool piped{false};                               // stdout and stderr come to read() instead
};

class ChildProcess {
public:
    [[nodiscard]] static Result<ChildProcess> start(const ChildOptions& options, Executor executor);
    ~ChildProcess();
    ChildProcess(ChildProcess&&) noexcept;
    ChildProcess& operator=(ChildProcess&&) noexcept;

    [[nodiscard]] pid_t pid() const;

    // Waits for the end: the exit status, or 128 + the signal's number. May be awaited again.
    [[nodiscard]] Task<int> wait();
    [[nodiscard]] bool ended() const;

    // What a piped child writes, up to `most` bytes at a time, at our pace: it waits when nobody reads. Empty: the end.
    [[nodiscard]] Task<std::string> read(std::size_t most);

    // TERM to the process group, KILL after `grace`; returns when it has ended.
    [[nodiscard]] Task<int> stop(Clock& clock, Duration grace);

private:
    struct State;
    explicit ChildProcess(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace skerry
