// What the log says when it is opened: which endpoints there are, what each queue has done, and where what it has not
// done lies. Full segments are known by the summaries of later ones; the others are read.
//
// Bounds:   8 bytes per message that is not done, in segments that are read (the last one, and damaged ones).
// Threads:  one at a time; the log calls it on its worker.
#pragma once

#include "hub/queue/age.hpp"
#include "hub/queue/records.hpp"
#include "hub/queue/tally.hpp"
#include "storage/segment_disk.hpp"
#include "storage/segment_format.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace skerry::hub {

class Recovery final : public storage::LogReader {
public:
    explicit Recovery(Ages& ages) : ages_(ages) {}

    using QueueName = std::pair<EndpointNumber, std::uint32_t>;  // with the priority
    struct RecoveredQueue {
        Cursor cursor;
        std::map<LogPosition, std::deque<LogPosition>> pending;  // by segment, ascending: what was read
        std::map<LogPosition, QueueTally> summarised;            // by segment: what was not
    };
    // A queue whose cursor stands within a segment that was not read.
    struct Part {
        QueueName queue;
        LogPosition from{0};    // what is not done begins here, but for the cursor's holes
        std::uint64_t most{0};  // that can be there
        std::uint64_t count{0};
    };

    void first(const storage::LogRecord& record) override;
    std::optional<LogPosition> known_end(LogPosition base) override;
    void visit(LogPosition base, const storage::LogRecord& record) override;
    void skipped(LogPosition base) override;
    // What read_record() finds.
    void on_message(const storage::LogRecord& record, const MessageHead& head);
    void on_snapshot(const Snapshot& snapshot);
    void on_endpoint(const EndpointName& endpoint);
    void on_cursor(const Cursor& cursor);
    void on_drop(EndpointNumber endpoint);
    // Call it when all was visited: what endpoints that are gone have left is dropped.
    void finish();
    // What must be counted before backlogs are known, by segment.
    [[nodiscard]] std::map<LogPosition, std::vector<Part>> parts() const;

    [[nodiscard]] const std::map<EndpointNumber, std::string>& endpoints() const { return endpoints_; }
    [[nodiscard]] const std::map<QueueName, RecoveredQueue>& queues() const { return queues_; }
    [[nodiscard]] EndpointNumber next_endpoint() const { return next_endpoint_; }
    [[nodiscard]] std::uint64_t unreadable() const { return unreadable_; }
    [[nodiscard]] Tallies& tallies() { return tallies_; }

private:
    Ages& ages_;
    std::optional<LogPosition> segment_;  // being visited
    std::map<EndpointNumber, std::string> endpoints_;
    std::map<QueueName, RecoveredQueue> queues_;
    EndpointNumber next_endpoint_{1};
    std::uint64_t unreadable_{0};
    Tallies tallies_;
};

// What a queue has not done, as its window wants to know it.
struct Backlog {
    std::map<LogPosition, std::uint64_t> by_segment;
    LogPosition first{0};
    std::vector<LogPosition> holes;  // of the cursor, those that may still be there
};
[[nodiscard]] Backlog backlog_of(const Recovery::RecoveredQueue& queue);

}  // namespace skerry::hub
