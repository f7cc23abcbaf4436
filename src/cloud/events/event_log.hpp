// What devices sent, on disk, in the order it was accepted.
//
// Promises: wait() on an event's ticket returns success only when the event would survive a power cut. Events that
//           arrive while one group is written are the next group: one write and one sync for all of them.
// Bounds:   8 MiB of events wait in memory; append() waits for room. On disk: EventLogLimits, the oldest go first.
// Threads:  the loop's; files are touched on the worker only.
#pragma once

#include "base/clock.hpp"
#include "base/event.hpp"
#include "base/task.hpp"
#include "base/task_scope.hpp"
#include "base/worker.hpp"
#include "cloud/events/event.hpp"
#include "cloud/events/lines.hpp"
#include "cloud/events/segments.hpp"

#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace skerry::cloud {

class EventLog {
    struct Group;

public:
    struct Ticket {
        std::uint64_t sequence{0};
        std::shared_ptr<Group> group;
        [[nodiscard]] bool done() const;
    };

    // Recovers what is there (blocks), then writes in the background until close(). All outlive the log.
    [[nodiscard]] static Result<std::unique_ptr<EventLog>> open(storage::Files& files, std::filesystem::path folder,
                                                                EventLogLimits limits, Clock& clock, Worker& writer,
                                                                Worker& reader, Executor executor);

    // Errc::closed after close().
    [[nodiscard]] Task<Result<Ticket>> append(Telemetry event);
    // Waits until the event is on disk, or has failed to get there.
    [[nodiscard]] Task<Result<>> wait(Ticket ticket);
    // Both.
    [[nodiscard]] Task<Result<>> append_durably(Telemetry event);

    // Writes what waits, then ends. Readers that wait are woken with Errc::closed.
    [[nodiscard]] Task<> close();

    [[nodiscard]] std::uint64_t last_durable() const { return last_durable_; }

    // Reads events as JSON texts, in order, from the first with a number of at least `from`.
    class Reader {
    public:
        Reader(EventLog& log, std::uint64_t from) : log_(&log), next_(from) {}
        struct Item {
            std::uint64_t sequence;
            std::string json;
        };
        // Some of what is there, at most about 256 KiB; empty when there is nothing new.
        [[nodiscard]] Task<Result<std::vector<Item>>> read();
        // Waits until something new is there; at once if there is. Errc::closed when the log was closed.
        [[nodiscard]] Task<Result<>> wait();

    private:
        [[nodiscard]] Result<std::vector<Item>> read_blocking(std::uint64_t until);
        [[nodiscard]] Result<bool> open_next_segment();

        EventLog* log_;
        std::uint64_t next_;
        std::uint64_t segment_{0};
        std::unique_ptr<LineReader> lines_;
        std::optional<LineReader::Line> early_;  // read before it was known to be durable
    };

private:
    struct Group {
        explicit Group(const Executor& executor) : done(executor) {}
        std::uint64_t first{0};
        std::uint64_t last{0};
        std::string lines;
        Result<> result;
        Event done;
    };

    EventLog(storage::Files& files, std::filesystem::path folder, std::unique_ptr<Segments> segments, Clock& clock,
             Worker& writer, Worker& reader, Executor executor);
    [[nodiscard]] Task<> write_groups();

    storage::Files& files_;
    std::filesystem::path folder_;
    std::unique_ptr<Segments> segments_;
    Clock& clock_;
    Worker& writer_;
    Worker& reader_;
    Executor executor_;
    std::uint64_t next_sequence_;
    std::uint64_t last_durable_;
    std::shared_ptr<Group> gathering_;
    Signal work_;
    Signal room_;
    Signal grown_;
    bool closing_{false};
    TaskScope scope_;
};

}  // namespace skerry::cloud
