// What each segment holds for which queue, so that a full segment need not be read again when the log is opened.
//
// A compact segment tells of itself: its own word is newer than what others say of what it was made of.
//
// Promise: a summary that is given out covers its whole segment, or is not given out.
// Bounds:  about 50 bytes for each queue of each segment that is there.
#pragma once

#include "hub/queue/records.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <vector>

namespace skerry::hub {

class Tallies {
public:
    struct Segment {
        std::vector<QueueTally> queues;
        std::uint64_t messages{0};  // one may be in several queues; 0: unknown
        std::int64_t last_seen{0};  // monotonic, of its boot
        bool complete{true};
        LogPosition end{0};                 // known when it was summarised
        std::optional<LogPosition> holder;  // the segment whose snapshot has the summary
        // How many deliveries were wanted when somebody looked which messages that were; at first, how many there are.
        std::optional<std::uint64_t> wanted_when_seen;

        LogPosition last_counted{std::numeric_limits<LogPosition>::max()};

        [[nodiscard]] std::uint64_t deliveries() const;
        // The queues of one message, one after another.
        void add(LogPosition at, const StoredTarget& target, std::int64_t monotonic);
    };

    void add(LogPosition segment, LogPosition at, const StoredTarget& target, std::int64_t monotonic);
    // Part of it was not stored, or can't be read: nobody can tell any more without reading it.
    void give_up(LogPosition segment) { segments_[segment].complete = false; }
    void removed(LogPosition segment);

    // A summary that was found in the snapshot of `holder`.
    void found(const SegmentSummary& summary, LogPosition holder);
    [[nodiscard]] const Segment* find(LogPosition segment) const;
    // Somebody looked: so many deliveries are wanted.
    void seen(LogPosition segment, std::uint64_t wanted) { segments_[segment].wanted_when_seen = wanted; }

    // What the snapshots of these segments say of others that are there.
    template <class EndOf>
    [[nodiscard]] std::vector<SegmentSummary> told_by(const std::vector<LogPosition>& bases, EndOf end_of) const;
    // These became one, `bases.front()`, which tells of itself and of what they told.
    void compacted(const std::vector<LogPosition>& bases, Segment now);

    // What the snapshot of a new segment has to say: every full segment that no other one tells of. `end_of` is where
    // a segment ends, 0 when it is gone.
    template <class EndOf>
    [[nodiscard]] std::vector<SegmentSummary> to_tell(LogPosition new_segment, EndOf end_of);

private:
    std::map<LogPosition, Segment> segments_;
};

template <class EndOf>
std::vector<SegmentSummary> Tallies::told_by(const std::vector<LogPosition>& bases, EndOf end_of) const {
    const auto among = [&bases](LogPosition base) { return std::ranges::find(bases, base) != bases.end(); };
    std::vector<SegmentSummary> summaries;
    for (const auto& [base, segment] : segments_)
        if (segment.complete && segment.holder && among(*segment.holder) && !among(base) && end_of(base) != 0)
            summaries.push_back({base, segment.end, segment.last_seen, segment.queues, segment.messages});
    return summaries;
}

template <class EndOf>
std::vector<SegmentSummary> Tallies::to_tell(LogPosition new_segment, EndOf end_of) {
    std::erase_if(segments_, [&](const auto& each) { return each.first != new_segment && end_of(each.first) == 0; });
    std::vector<SegmentSummary> summaries;
    for (auto& [base, segment] : segments_) {
        if (base == new_segment || !segment.complete || (segment.holder && end_of(*segment.holder) != 0)) continue;
        segment.end = end_of(base);
        segment.holder = new_segment;
        summaries.push_back({base, segment.end, segment.last_seen, segment.queues, segment.messages});
    }
    return summaries;
}

}  // namespace skerry::hub
