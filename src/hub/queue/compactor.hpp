// A segment of which little is wanted any more gives its space back: what an absent consumer has not taken, what is
// stuck or waits for later, moves together into compact segments, and the rest goes.
//
// Promises: nothing that a queue has not done is ever left out, whatever is cut off when: what is left out was done,
//           and the cursors that say so were durable, before it went. A message keeps its place in the log, so no
//           queue, window or delivery in flight hears of the move. A segment is rewritten only when that frees half
//           of it.
// Bounds:   the disk holds at most about twice what is wanted, the newest segments, and one segment more while one is
//           being made. Memory: 16 bytes per message that is kept of one segment, and 256 KiB.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "hub/queue/tally.hpp"

#include <cstdint>
#include <set>
#include <vector>

namespace skerry::hub {

class LogQueueStore;

class Compactor {
public:
    explicit Compactor(LogQueueStore& store) : store_(store) {}

    // Looks at all full segments once.
    [[nodiscard]] Task<> pass();
    // Is being looked at or rewritten: it must not be removed.
    [[nodiscard]] bool holds(LogPosition base) const { return held_.contains(base); }

private:
    // What must stay of a segment.
    struct Kept {
        LogPosition base{0};
        bool looked{false};
        std::vector<LogPosition> places;
        std::uint64_t bytes{0};  // all of it until somebody looks
        Tallies::Segment tally;
    };
    // Segments behind one another that become one.
    struct Run {
        std::vector<Kept> parts;
        std::uint64_t bytes{0};
        bool frees{false};  // at least half of one of them
    };

    [[nodiscard]] bool may_be_sparse(LogPosition base) const;
    [[nodiscard]] bool is_small(LogPosition base) const;
    [[nodiscard]] bool in_flight(LogPosition base) const;
    [[nodiscard]] Task<Result<>> look(Kept& kept);
    [[nodiscard]] Task<Result<>> consider(LogPosition base, Run& run);
    [[nodiscard]] Task<Result<>> end_run(Run& run);
    [[nodiscard]] Task<Result<>> rewrite(std::vector<Kept>& parts);
    [[nodiscard]] Snapshot first_of(const std::vector<LogPosition>& bases, const Tallies::Segment& tally) const;
    void rewritten(const std::vector<LogPosition>& bases, Tallies::Segment tally);

    LogQueueStore& store_;
    std::set<LogPosition> held_;
};

}  // namespace skerry::hub
