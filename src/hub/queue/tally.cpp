#include "hub/queue/tally.hpp"

#include <algorithm>
#include <utility>

namespace skerry::hub {

void Tallies::Segment::add(LogPosition at, const StoredTarget& target, std::int64_t monotonic) {
    last_seen = std::max(last_seen, monotonic);
    if (std::exchange(last_counted, at) != at) ++messages;
    const auto same = std::ranges::find_if(queues, [&](const QueueTally& each) {
        return each.endpoint == target.endpoint && each.priority == target.priority;
    });
    if (same == queues.end()) {
        queues.push_back({target.endpoint, target.priority, 1, at, at});
        return;
    }
    ++same->count;
    same->last = at;
}

std::uint64_t Tallies::Segment::deliveries() const {
    std::uint64_t sum = 0;
    for (const auto& queue : queues) sum += queue.count;
    return sum;
}

void Tallies::add(LogPosition segment, LogPosition at, const StoredTarget& target, std::int64_t monotonic) {
    segments_[segment].add(at, target, monotonic);
}

void Tallies::removed(LogPosition segment) { segments_.erase(segment); }

void Tallies::found(const SegmentSummary& summary, LogPosition holder) {
    const auto known = segments_.find(summary.base);
    if (known != segments_.end() && known->second.holder == summary.base && holder != summary.base) return;
    Segment segment;
    segment.queues = summary.queues;
    segment.messages = summary.messages;
    segment.last_seen = summary.last_seen;
    segment.end = summary.end;
    segment.holder = holder;
    segments_[summary.base] = std::move(segment);
}

void Tallies::compacted(const std::vector<LogPosition>& bases, Segment now) {
    const auto into = bases.front();
    for (auto& [base, segment] : segments_)
        if (segment.holder && std::ranges::find(bases, *segment.holder) != bases.end()) segment.holder = into;
    for (const auto base : bases) segments_.erase(base);
    now.holder = into;
    segments_[into] = std::move(now);
}

const Tallies::Segment* Tallies::find(LogPosition segment) const {
    const auto found = segments_.find(segment);
    return found == segments_.end() ? nullptr : &found->second;
}

}  // namespace skerry::hub
