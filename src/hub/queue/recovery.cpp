#include "hub/queue/recovery.hpp"

#include <algorithm>
#include <vector>

namespace skerry::hub {

void Recovery::visit(const storage::LogRecord& record) {
    if (!understand(record)) ++unreadable_;
}

bool Recovery::understand(const storage::LogRecord& record) {
    switch (static_cast<RecordKind>(record.kind)) {
        case RecordKind::message: {
            const auto head = decode_head(record.payload);
            if (!head) return false;
            for (const auto& target : head->targets) {
                auto& queue = queues_[{target.endpoint, target.priority}];
                queue.pending.push_back(record.at);
            }
            ages_.seen(segment_, head->enqueued.monotonic);
            return true;
        }
        case RecordKind::snapshot: {
            const auto snapshot = decode_snapshot(record.payload);
            if (snapshot) restore(record.at, *snapshot);
            return snapshot.has_value();
        }
        case RecordKind::endpoint: {
            const auto endpoint = decode_endpoint(record.payload);
            if (!endpoint) return false;
            endpoints_[endpoint->number] = endpoint->name;
            next_endpoint_ = std::max(next_endpoint_, endpoint->number + 1);
            return true;
        }
        case RecordKind::cursor: {
            const auto cursor = decode_cursor(record.payload);
            if (cursor) apply(*cursor);
            return cursor.has_value();
        }
        case RecordKind::drop: {
            const auto endpoint = decode_drop(record.payload);
            if (endpoint) drop(*endpoint);
            return endpoint.has_value();
        }
    }
    return true;  // a kind of the future
}

void Recovery::restore(LogPosition at, const Snapshot& snapshot) {
    segment_ = at - storage::segment_header_bytes;
    ages_.segment_begins(segment_, snapshot.boot);
    ages_.seen(segment_, snapshot.taken.monotonic);
    next_endpoint_ = std::max(next_endpoint_, snapshot.next_endpoint);
    endpoints_.clear();
    for (const auto& endpoint : snapshot.endpoints) endpoints_[endpoint.number] = endpoint.name;
    finish();
    for (const auto& cursor : snapshot.cursors) apply(cursor);
}

void Recovery::apply(const Cursor& cursor) {
    auto& queue = queues_[{cursor.endpoint, cursor.priority}];
    queue.cursor = cursor;
    const auto done_end = std::ranges::lower_bound(queue.pending, cursor.high);
    std::vector<LogPosition> kept;
    std::set_intersection(queue.pending.begin(), done_end, cursor.holes.begin(), cursor.holes.end(),
                          std::back_inserter(kept));
    queue.pending.erase(queue.pending.begin(), done_end);
    queue.pending.insert(queue.pending.begin(), kept.begin(), kept.end());
}

void Recovery::drop(EndpointNumber endpoint) {
    endpoints_.erase(endpoint);
    std::erase_if(queues_, [&](const auto& queue) { return queue.first.first == endpoint; });
}

void Recovery::finish() {
    std::erase_if(queues_, [&](const auto& queue) { return !endpoints_.contains(queue.first.first); });
}

}  // namespace skerry::hub
