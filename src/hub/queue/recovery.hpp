// Reads the log once at start: which endpoints there are, what each queue has done, and where what it has not lies.
//
// Bounds:   8 bytes per message that is not done, while the log is opened.
// Threads:  one at a time; the log calls visit() on its worker.
#pragma once

#include "hub/queue/age.hpp"
#include "hub/queue/records.hpp"
#include "storage/segment_format.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>

namespace skerry::hub {

class Recovery {
public:
    explicit Recovery(Ages& ages) : ages_(ages) {}

    struct RecoveredQueue {
        Cursor cursor;
        std::deque<LogPosition> pending;  // ascending
    };
    using QueueName = std::pair<EndpointNumber, std::uint32_t>;  // with the priority

    void visit(const storage::LogRecord& record);
    // Call it when all was visited: what endpoints that are gone have left is dropped.
    void finish();

    [[nodiscard]] const std::map<EndpointNumber, std::string>& endpoints() const { return endpoints_; }
    [[nodiscard]] const std::map<QueueName, RecoveredQueue>& queues() const { return queues_; }
    [[nodiscard]] EndpointNumber next_endpoint() const { return next_endpoint_; }
    [[nodiscard]] std::uint64_t unreadable() const { return unreadable_; }

private:
    [[nodiscard]] bool understand(const storage::LogRecord& record);
    void restore(LogPosition at, const Snapshot& snapshot);
    void apply(const Cursor& cursor);
    void drop(EndpointNumber endpoint);

    Ages& ages_;
    LogPosition segment_{0};
    std::map<EndpointNumber, std::string> endpoints_;
    std::map<QueueName, RecoveredQueue> queues_;
    EndpointNumber next_endpoint_{1};
    std::uint64_t unreadable_{0};
};

}  // namespace skerry::hub
