// Work that goes on after its method was answered, and what GetTaskStatus says of it.
//
// Bounds: 10 tasks at a time, 600 s each; 100 are remembered, in memory; of those that have ended the oldest is
// forgotten. Threads: the loop's.
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/task_scope.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <list>
#include <string>

namespace skerry::agent {

inline constexpr std::chrono::seconds longest_task{600};

class BackgroundTasks {
public:
    BackgroundTasks(Clock& clock, Random& random, Executor executor);

    // Returns the task's correlation id. Errc::full when too many run.
    [[nodiscard]] Result<std::string> start(std::string operation, Task<Result<>> work);
    // {"status", "message", "correlationId"}; status Unknown for an id that was never given or is forgotten.
    [[nodiscard]] boost::json::object status(std::string_view correlation_id) const;
    [[nodiscard]] Task<> close() { return scope_.close(); }

private:
    struct Entry {
        std::string id;
        std::string operation;
        std::string status{"NotStarted"};
        std::string message;
        [[nodiscard]] bool ended() const { return status != "NotStarted" && status != "Running"; }
    };
    [[nodiscard]] Task<> run(Entry& entry, Task<Result<>> work);
    void forget_old();

    Clock& clock_;
    Random& random_;
    std::list<Entry> entries_;  // oldest first
    TaskScope scope_;
};

}  // namespace skerry::agent
