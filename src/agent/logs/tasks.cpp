#include "agent/logs/tasks.hpp"

#include "base/log.hpp"
#include "base/timeout.hpp"

#include <fmt/core.h>
#include <boost/json/value.hpp>

#include <algorithm>
#include <utility>

namespace skerry::agent {

namespace {
constexpr std::size_t most_running = 10;
constexpr std::size_t most_remembered = 100;
}  // namespace

BackgroundTasks::BackgroundTasks(Clock& clock, Random& random, Executor executor)
    : clock_(clock), random_(random), scope_(std::move(executor)) {}

Result<std::string> BackgroundTasks::start(std::string operation, Task<Result<>> work) {
    if (scope_.size() >= most_running)
        return fail(Errc::full, fmt::format("{} tasks run already; wait until one has ended", most_running));
    forget_old();
    auto& entry = entries_.emplace_back(Entry{.id = random_.uuid(), .operation = operation, .message = {}});
    scope_.spawn(std::move(operation), run(entry, std::move(work)));
    return entry.id;
}

// Its entry stays while it runs: only ended ones are forgotten.
Task<> BackgroundTasks::run(Entry& entry, Task<Result<>> work) {
    // What neither completes nor fails was cancelled.
    struct Ending {
        Entry& entry;
        ~Ending() {
            if (!entry.ended()) entry.status = "Cancelled";
        }
    };
    const Ending ending{entry};
    entry.status = "Running";
    const auto done = co_await with_timeout<void>(clock_, longest_task, std::move(work));
    if (done) {
        log::info("The task {} ({}) is complete", entry.operation, entry.id);
        entry.status = "Completed";
        co_return;
    }
    entry.message = fmt::format("Task {} failed because of error {}", entry.operation, done.error().text);
    entry.status = "Failed";
    log::warn("{} ({})", entry.message, entry.id);
}

void BackgroundTasks::forget_old() {
    while (entries_.size() >= most_remembered) {
        const auto oldest = std::ranges::find_if(entries_, &Entry::ended);
        if (oldest == entries_.end()) return;
        entries_.erase(oldest);
    }
}

boost::json::object BackgroundTasks::status(std::string_view correlation_id) const {
    const auto found = std::ranges::find(entries_, correlation_id, &Entry::id);
    const bool known = found != entries_.end();
    return {{"status", known ? found->status : "Unknown"},
            {"message", known ? found->message : ""},
            {"correlationId", correlation_id}};
}

}  // namespace skerry::agent
