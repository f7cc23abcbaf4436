#include "hub/queue/recovery.hpp"

#include <algorithm>
#include <limits>

namespace skerry::hub {

void Recovery::first(const storage::LogRecord& record) {
    if (static_cast<RecordKind>(record.kind) != RecordKind::snapshot) return;
    const auto snapshot = decode_snapshot(record.payload);
    if (!snapshot) return;
    const auto base = record.at - storage::segment_header_bytes;
    ages_.segment_begins(base, snapshot->boot);
    ages_.seen(base, snapshot->taken.monotonic);
    for (const auto& summary : snapshot->summaries) tallies_.found(summary, base);
}

std::optional<LogPosition> Recovery::known_end(LogPosition base) {
    const auto* const tally = tallies_.find(base);
    return tally ? std::optional(tally->end) : std::nullopt;
}

void Recovery::skipped(LogPosition base) {
    const auto& tally = *tallies_.find(base);
    ages_.seen(base, tally.last_seen);
    for (const auto& queue : tally.queues) queues_[{queue.endpoint, queue.priority}].summarised[base] = queue;
}

void Recovery::visit(LogPosition base, const storage::LogRecord& record) {
    if (segment_ != base) tallies_.removed(base);  // it is counted anew
    segment_ = base;
    if (!read_record(record, *this)) ++unreadable_;
}

void Recovery::on_message(const storage::LogRecord& record, const MessageHead& head) {
    for (const auto& target : head.targets) {
        queues_[{target.endpoint, target.priority}].pending[*segment_].push_back(record.at);
        tallies_.add(*segment_, record.at, target, head.enqueued.monotonic);
    }
    ages_.seen(*segment_, head.enqueued.monotonic);
}

void Recovery::on_endpoint(const EndpointName& endpoint) {
    endpoints_[endpoint.number] = endpoint.name;
    next_endpoint_ = std::max(next_endpoint_, endpoint.number + 1);
}

void Recovery::on_snapshot(const Snapshot& snapshot) {
    next_endpoint_ = std::max(next_endpoint_, snapshot.next_endpoint);
    endpoints_.clear();
    for (const auto& endpoint : snapshot.endpoints) endpoints_[endpoint.number] = endpoint.name;
    finish();
    for (const auto& cursor : snapshot.cursors) on_cursor(cursor);
}

void Recovery::on_cursor(const Cursor& cursor) {
    auto& queue = queues_[{cursor.endpoint, cursor.priority}];
    queue.cursor = cursor;
    for (auto at = queue.pending.begin(); at != queue.pending.end() && at->first < cursor.high;) {
        auto& pending = at->second;
        const auto done_end = std::ranges::lower_bound(pending, cursor.high);
        std::vector<LogPosition> kept;
        std::set_intersection(pending.begin(), done_end, cursor.holes.begin(), cursor.holes.end(),
                              std::back_inserter(kept));
        pending.erase(pending.begin(), done_end);
        pending.insert(pending.begin(), kept.begin(), kept.end());
        at = pending.empty() ? queue.pending.erase(at) : std::next(at);
    }
}

void Recovery::on_drop(EndpointNumber endpoint) {
    endpoints_.erase(endpoint);
    std::erase_if(queues_, [&](const auto& queue) { return queue.first.first == endpoint; });
}

void Recovery::finish() {
    std::erase_if(queues_, [&](const auto& queue) { return !endpoints_.contains(queue.first.first); });
}

namespace {
// The cursor's holes among the places of a summarised segment.
std::pair<std::vector<LogPosition>::const_iterator, std::vector<LogPosition>::const_iterator> holes_in(
    const Cursor& cursor, const QueueTally& tally) {
    return {std::ranges::lower_bound(cursor.holes, tally.first), std::ranges::upper_bound(cursor.holes, tally.last)};
}
}  // namespace

std::map<LogPosition, std::vector<Recovery::Part>> Recovery::parts() const {
    std::map<LogPosition, std::vector<Part>> parts;
    for (const auto& [name, queue] : queues_)
        for (const auto& [base, tally] : queue.summarised)
            if (tally.first < queue.cursor.high && queue.cursor.high <= tally.last)
                parts[base].push_back({name, queue.cursor.high, tally.count, 0});
    return parts;
}

Backlog backlog_of(const Recovery::RecoveredQueue& queue) {
    Backlog backlog{{}, std::numeric_limits<LogPosition>::max(), {}};
    const auto begins = [&backlog](LogPosition at) { backlog.first = std::min(backlog.first, at); };
    for (const auto& [base, tally] : queue.summarised) {
        const auto [hole, holes_end] = holes_in(queue.cursor, tally);
        auto count = static_cast<std::uint64_t>(holes_end - hole);
        if (count > 0) begins(*hole);
        backlog.holes.insert(backlog.holes.end(), hole, holes_end);
        if (queue.cursor.high <= tally.first) {
            count = tally.count;
            begins(tally.first);
        } else if (queue.cursor.high <= tally.last) {
            begins(queue.cursor.high - 1);  // a record begins there; how many come behind it is counted
        }
        if (count > 0) backlog.by_segment[base] = count;
    }
    for (const auto& [base, pending] : queue.pending) {
        backlog.by_segment[base] += pending.size();
        begins(pending.front());
        std::ranges::copy_if(pending, std::back_inserter(backlog.holes),
                             [&](LogPosition at) { return at < queue.cursor.high; });
    }
    std::ranges::sort(backlog.holes);
    return backlog;
}

}  // namespace skerry::hub
