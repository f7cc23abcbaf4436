// One queue, (endpoint, priority), as a window of loaded messages over the log: what is due, in flight and done.
//
// Promises: in order; a message is done once, however often that is said; what is done can be told apart from what is
//           not by a cursor whose size is that of the window, not of the backlog.
// Bounds:   a message that the cache has no room for is left in the log, and read from there when its turn comes
//           (behind()). Each queue may hold `own_room` bytes whatever the others hold, and what is loaded at once.
// Threads:  the loop's. No input or output.
#pragma once

#include "base/clock.hpp"
#include "hub/queue/records.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace skerry::hub {

inline constexpr std::size_t own_room = 64 * 1024;
inline constexpr std::size_t most_in_flight = 4096;  // of one queue

// How many messages of all queues still want each segment.
class SegmentUse {
public:
    void add(LogPosition base, std::uint64_t count) { wanted_[base] += count; }
    void subtract(LogPosition base, std::uint64_t count);
    [[nodiscard]] bool wanted(LogPosition base) const { return wanted_.contains(base); }
    [[nodiscard]] std::uint64_t count(LogPosition base) const;
    // Whether a segment became unwanted since this was asked last.
    [[nodiscard]] bool take_freed() { return std::exchange(freed_, false); }

private:
    std::map<LogPosition, std::uint64_t> wanted_;
    bool freed_{false};
};

struct Cache {
    std::size_t limit{0};
    std::size_t used{0};
};

struct QueuedMessage {
    LogPosition at{0};
    LogPosition segment{0};
    SteadyTime deadline{SteadyTime::max()};
    model::SharedMessage message;
    bool by_age{false};  // the deadline is that of its age, not of its time to live
    SteadyTime since;    // when it was stored
};

class Queue {
public:
    Queue(std::uint32_t priority, Cache& cache, SegmentUse& use) : priority_(priority), cache_(cache), use_(use) {}

    // A message that comes now, behind all others.
    void append(QueuedMessage message);
    // A message that was stored before and has not been seen by this window; ignored when it is done.
    void load(QueuedMessage message);
    // What the log says at start: how far the queue is, and where what is not done lies. `holes` are those below the
    // cursor's high; `first` is at or before the first of all.
    void restore(LogPosition high, std::vector<LogPosition> holes, LogPosition first,
                 const std::map<LogPosition, std::uint64_t>& pending);

    // Takes what is due; what has expired is done instead.
    void take(SteadyTime now, std::size_t at_most, std::vector<Delivery>& out);
    void expire(SteadyTime now);
    bool finish(LogPosition at);  // false: nothing happens, it is done
    void give_back(LogPosition at);
    void return_all();
    // It could not be stored after all. False: it was done anyway.
    bool withdraw(LogPosition at, LogPosition segment);
    // Gives up what is stored before this place, the end of a segment, and not in flight. Returns how many that were.
    std::uint64_t drop_before(LogPosition end);
    void clear();

    // Whether the message there, one of this queue's, is not done.
    [[nodiscard]] bool wants(LogPosition at, LogPosition segment) const;
    // A compaction made one segment of several.
    void merge_segments(const std::vector<LogPosition>& gone, LogPosition into);
    [[nodiscard]] std::uint64_t pending_in(LogPosition segment) const;
    [[nodiscard]] bool has_in_flight(LogPosition segment) const;

    // Messages from here on are in the log and not in the window.
    [[nodiscard]] std::optional<LogPosition> behind() const { return behind_; }
    // All up to here is in the window now; or all there is.
    void caught_up_to(LogPosition at);
    // Returns how many messages were expected and are not in the log any more.
    std::uint64_t caught_up();
    [[nodiscard]] bool has_room(const model::Message& message) const;
    // Changes when everything known before is void: a read that began earlier is of no use.
    [[nodiscard]] std::uint64_t era() const { return era_; }

    [[nodiscard]] bool has_due() const { return due_ > 0 && in_flight_ < most_in_flight; }
    [[nodiscard]] bool may_load() const { return behind_ && in_flight_ < most_in_flight; }
    [[nodiscard]] bool window_empty() const { return live() == 0; }
    [[nodiscard]] std::uint32_t priority() const { return priority_; }
    [[nodiscard]] std::uint64_t length() const { return length_; }
    // When the oldest one was stored; nullopt: there is none, or it has not been read back yet.
    [[nodiscard]] std::optional<SteadyTime> oldest() const {
        return entries_.empty() ? std::nullopt : std::optional(entries_.front().held.since);
    }
    [[nodiscard]] std::uint64_t expired() const { return expired_; }
    [[nodiscard]] std::uint64_t aged() const { return aged_; }
    [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

    [[nodiscard]] bool touched() const { return high_ > 0; }  // has a cursor worth writing
    [[nodiscard]] Cursor cursor(EndpointNumber endpoint) const;
    bool changed{false};  // since its cursor was written

private:
    enum class State : std::uint8_t { due, in_flight, done };
    struct Entry {
        QueuedMessage held;
        std::size_t bytes;
        State state;
    };
    using Entries = std::deque<Entry>;

    [[nodiscard]] std::size_t live() const { return due_ + in_flight_; }
    [[nodiscard]] Entries::iterator find(LogPosition at);
    void push(QueuedMessage message);
    void retire(Entry& entry);
    void expire(Entry& entry);
    void forget_done();
    void count(LogPosition segment, std::uint64_t added);
    void uncount(LogPosition segment, std::uint64_t removed);

    std::uint32_t priority_;
    Cache& cache_;
    SegmentUse& use_;

    Entries entries_;
    std::size_t due_{0};
    std::size_t in_flight_{0};
    std::size_t done_{0};
    std::size_t bytes_{0};
    LogPosition first_due_{0};  // no entry before this place is due

    std::optional<LogPosition> behind_;
    std::map<LogPosition, std::uint64_t> pending_;  // messages not done, by segment
    std::uint64_t length_{0};
    std::uint64_t expired_{0};
    std::uint64_t aged_{0};
    std::uint64_t dropped_{0};
    std::uint64_t era_{0};

    LogPosition high_{0};  // of the cursor
    LogPosition restored_high_{0};
    std::vector<LogPosition> restored_holes_;
};

}  // namespace skerry::hub
