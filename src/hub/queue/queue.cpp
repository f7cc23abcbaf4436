#include "hub/queue/queue.hpp"

#include <algorithm>
#include <utility>

namespace skerry::hub {

namespace {
// What a message takes in memory, about: most of a small one is not its bytes.
std::size_t footprint(const model::Message& message) {
    constexpr std::size_t per_property = 8;
    return sizeof(model::Message) + 192 + message.size() +
           per_property * (message.properties.size() + message.system.size());
}
}  // namespace

void SegmentUse::subtract(LogPosition base, std::uint64_t count) {
    const auto found = wanted_.find(base);
    if (found == wanted_.end()) return;
    found->second -= std::min(found->second, count);
    if (found->second > 0) return;
    wanted_.erase(found);
    freed_ = true;
}

std::uint64_t SegmentUse::count(LogPosition base) const {
    const auto found = wanted_.find(base);
    return found == wanted_.end() ? 0 : found->second;
}

void Queue::count(LogPosition segment, std::uint64_t added) {
    pending_[segment] += added;
    length_ += added;
    use_.add(segment, added);
}

void Queue::uncount(LogPosition segment, std::uint64_t removed) {
    const auto found = pending_.find(segment);
    if (found == pending_.end()) return;
    removed = std::min(removed, found->second);
    found->second -= removed;
    if (found->second == 0) pending_.erase(found);
    length_ -= removed;
    use_.subtract(segment, removed);
}

Queue::Entries::iterator Queue::find(LogPosition at) {
    const auto found = std::ranges::lower_bound(entries_, at, {}, [](const Entry& entry) { return entry.held.at; });
    return found != entries_.end() && found->held.at == at && found->state != State::done ? found : entries_.end();
}

bool Queue::has_room(const model::Message& message) const {
    const auto bytes = footprint(message);
    return bytes_ + bytes <= own_room || cache_.used + bytes <= cache_.limit;
}

void Queue::push(QueuedMessage message) {
    const auto bytes = footprint(*message.message);
    bytes_ += bytes;
    cache_.used += bytes;
    ++due_;
    entries_.push_back({std::move(message), bytes, State::due});
}

void Queue::append(QueuedMessage message) {
    if (behind_ && length_ == live()) behind_.reset();  // nothing of ours is left there
    count(message.segment, 1);
    if (behind_) return;
    if (has_room(*message.message))
        push(std::move(message));
    else
        behind_ = message.at;
}

void Queue::load(QueuedMessage message) {
    const bool wanted = message.at >= restored_high_ || std::ranges::binary_search(restored_holes_, message.at);
    if (wanted && pending_.contains(message.segment)) push(std::move(message));
}

void Queue::restore(LogPosition high, std::vector<LogPosition> holes, LogPosition first,
                    const std::map<LogPosition, std::uint64_t>& pending) {
    high_ = high;
    restored_high_ = high;
    restored_holes_ = std::move(holes);
    for (const auto& [segment, messages] : pending) count(segment, messages);
    if (!pending.empty()) behind_ = first;
}

// The entry's message is not kept, its place is until everything before it is done.
void Queue::retire(Entry& entry) {
    bytes_ -= entry.bytes;
    cache_.used -= entry.bytes;
    --(entry.state == State::due ? due_ : in_flight_);
    ++done_;
    entry.state = State::done;
    entry.held.message.reset();
    uncount(entry.held.segment, 1);
}

void Queue::forget_done() {
    for (; !entries_.empty() && entries_.front().state == State::done; --done_) entries_.pop_front();
    if (done_ < 64 || done_ < entries_.size() / 2) return;
    std::erase_if(entries_, [](const Entry& entry) { return entry.state == State::done; });
    done_ = 0;
}

void Queue::take(SteadyTime now, std::size_t at_most, std::vector<Delivery>& out) {
    auto entry = std::ranges::lower_bound(entries_, first_due_, {}, [](const Entry& each) { return each.held.at; });
    for (; entry != entries_.end() && at_most > 0 && has_due(); ++entry) {
        first_due_ = entry->held.at + 1;
        if (entry->state != State::due) continue;
        if (entry->held.deadline <= now) {
            expire(*entry);
            continue;
        }
        entry->state = State::in_flight;
        --due_;
        ++in_flight_;
        --at_most;
        out.push_back({Offset{entry->held.at}, priority_, entry->held.message});
    }
    forget_done();
}

void Queue::expire(SteadyTime now) {
    for (auto& entry : entries_) {
        if (entry.state == State::due && entry.held.deadline <= now) expire(entry);
    }
    forget_done();
}

void Queue::expire(Entry& entry) {
    high_ = std::max(high_, entry.held.at + 1);
    changed = true;
    ++(entry.held.by_age ? aged_ : expired_);
    retire(entry);
}

bool Queue::finish(LogPosition at) {
    const auto entry = find(at);
    if (entry == entries_.end()) return false;
    high_ = std::max(high_, at + 1);
    changed = true;
    retire(*entry);
    forget_done();
    return true;
}

void Queue::give_back(LogPosition at) {
    const auto entry = find(at);
    if (entry == entries_.end() || entry->state != State::in_flight) return;
    entry->state = State::due;
    ++due_;
    --in_flight_;
    first_due_ = std::min(first_due_, at);
}

void Queue::return_all() {
    for (auto& entry : entries_)
        if (entry.state == State::in_flight) entry.state = State::due;
    due_ += std::exchange(in_flight_, 0);
    first_due_ = 0;
}

bool Queue::withdraw(LogPosition at, LogPosition segment) {
    if (const auto entry = find(at); entry != entries_.end()) {
        retire(*entry);
        forget_done();
        return true;
    }
    if (!behind_ || at < *behind_) return false;
    uncount(segment, 1);
    return true;
}

std::uint64_t Queue::drop_before(LogPosition end) {
    const auto before = length_;
    std::map<LogPosition, std::uint64_t> in_flight;
    for (auto& entry : entries_) {
        if (entry.held.at >= end) break;
        if (entry.state == State::due) retire(entry);
        if (entry.state == State::in_flight) ++in_flight[entry.held.segment];
    }
    if (behind_ && *behind_ < end) {
        for (const auto& [segment, expected] : std::map(pending_.begin(), pending_.lower_bound(end)))
            uncount(segment, expected - std::min(expected, in_flight[segment]));
        behind_ = end;
        if (length_ == live()) behind_.reset();
    }
    const auto dropped = before - length_;
    dropped_ += dropped;
    if (dropped > 0) {
        high_ = std::max(high_, end);
        changed = true;
    }
    forget_done();
    return dropped;
}

void Queue::clear() {
    ++era_;
    cache_.used -= bytes_;
    bytes_ = due_ = in_flight_ = done_ = 0;
    entries_.clear();
    behind_.reset();
    while (!pending_.empty()) uncount(pending_.begin()->first, pending_.begin()->second);
    high_ = restored_high_ = first_due_ = 0;
    restored_holes_.clear();
    changed = false;
}

bool Queue::wants(LogPosition at, LogPosition segment) const {
    if (behind_ && at >= *behind_)
        return pending_.contains(segment) && (at >= restored_high_ || std::ranges::binary_search(restored_holes_, at));
    const auto found = std::ranges::lower_bound(entries_, at, {}, [](const Entry& entry) { return entry.held.at; });
    return found != entries_.end() && found->held.at == at && found->state != State::done;
}

void Queue::merge_segments(const std::vector<LogPosition>& gone, LogPosition into) {
    std::uint64_t moved = 0;
    for (const auto segment : gone) {
        const auto found = pending_.find(segment);
        if (found == pending_.end()) continue;
        const auto count = found->second;
        pending_.erase(found);
        pending_[into] += count;
        use_.add(into, count);
        use_.subtract(segment, count);
        moved += count;
    }
    if (moved == 0) return;
    for (auto& entry : entries_)
        if (std::ranges::binary_search(gone, entry.held.segment)) entry.held.segment = into;
}

std::uint64_t Queue::pending_in(LogPosition segment) const {
    const auto found = pending_.find(segment);
    return found == pending_.end() ? 0 : found->second;
}

bool Queue::has_in_flight(LogPosition segment) const {
    return in_flight_ > 0 && pending_.contains(segment) && std::ranges::any_of(entries_, [segment](const Entry& entry) {
               return entry.state == State::in_flight && entry.held.segment == segment;
           });
}

void Queue::caught_up_to(LogPosition at) {
    if (behind_) behind_ = at;
    if (length_ == live()) behind_.reset();
}

std::uint64_t Queue::caught_up() {
    behind_.reset();
    const auto missing = length_ - live();
    if (missing == 0) return 0;
    std::map<LogPosition, std::uint64_t> found;
    for (const auto& entry : entries_)
        if (entry.state != State::done) ++found[entry.held.segment];
    for (const auto& [segment, expected] : std::map(pending_))
        uncount(segment, expected - std::min(expected, found[segment]));
    return missing;
}

Cursor Queue::cursor(EndpointNumber endpoint) const {
    Cursor cursor{endpoint, priority_, high_, {}};
    for (const auto& entry : entries_) {
        if (entry.held.at >= high_) break;
        if (entry.state != State::done) cursor.holes.push_back(entry.held.at);
    }
    if (behind_)
        for (const auto hole : restored_holes_)
            if (hole >= *behind_) cursor.holes.push_back(hole);
    return cursor;
}

}  // namespace skerry::hub
