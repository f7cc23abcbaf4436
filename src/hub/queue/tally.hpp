// What each segment holds for which queue, so that a full segment need not be read again when the log is opened.
//
// Promise: a summary that is given out covers its whole segment, or is not given out.
// Bounds:  about 50 bytes for each queue of each segment that is there.
#pragma once

#include "hub/queue/records.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace skerry::hub {

class Tallies {
public:
    struct Segment {
        std::vector<QueueTally> queues;
        std::int64_t last_seen{0};  // monotonic, of its boot
        bool complete{true};
        LogPosition end{0};     // known when it was summarised
        LogPosition holder{0};  // the segment whose snapshot has the summary; 0: none
    };

    void add(LogPosition segment, LogPosition at, const StoredTarget& target, std::int64_t monotonic);
    // Part of it was not stored, or can't be read: nobody can tell any more without reading it.
    void give_up(LogPosition segment) { segments_[segment].complete = false; }
    void removed(LogPosition segment);

    // A summary that was found in the snapshot of `holder`.
    void found(const SegmentSummary& summary, LogPosition holder);
    [[nodiscard]] const Segment* find(LogPosition segment) const;

    // What the snapshot of a new segment has to say: every full segment that no other one tells of. `end_of` is where
    // a segment ends, 0 when it is gone.
    template <class EndOf>
    [[nodiscard]] std::vector<SegmentSummary> to_tell(LogPosition new_segment, EndOf end_of);

private:
    std::map<LogPosition, Segment> segments_;
};

template <class EndOf>
std::vector<SegmentSummary> Tallies::to_tell(LogPosition new_segment, EndOf end_of) {
    std::erase_if(segments_, [&](const auto& each) { return each.first != new_segment && end_of(each.first) == 0; });
    std::vector<SegmentSummary> summaries;
    for (auto& [base, segment] : segments_) {
        if (base == new_segment || !segment.complete || (segment.holder != 0 && end_of(segment.holder) != 0)) continue;
        segment.end = end_of(base);
        segment.holder = new_segment;
        summaries.push_back({base, segment.end, segment.last_seen, segment.queues});
    }
    return summaries;
}

}  // namespace skerry::hub
