#include "hub/queue/tally.hpp"

#include <algorithm>

namespace skerry::hub {

void Tallies::add(LogPosition segment, LogPosition at, const StoredTarget& target, std::int64_t monotonic) {
    auto& tally = segments_[segment];
    tally.last_seen = std::max(tally.last_seen, monotonic);
    const auto same = std::ranges::find_if(tally.queues, [&](const QueueTally& each) {
        return each.endpoint == target.endpoint && each.priority == target.priority;
    });
    if (same == tally.queues.end()) {
        tally.queues.push_back({target.endpoint, target.priority, 1, at, at});
        return;
    }
    ++same->count;
    same->last = at;
}

void Tallies::removed(LogPosition segment) { segments_.erase(segment); }

void Tallies::found(const SegmentSummary& summary, LogPosition holder) {
    segments_[summary.base] = {summary.queues, summary.last_seen, true, summary.end, holder};
}

const Tallies::Segment* Tallies::find(LogPosition segment) const {
    const auto found = segments_.find(segment);
    return found == segments_.end() ? nullptr : &found->second;
}

}  // namespace skerry::hub
