// What may stay on the disk: bytes, age, and who goes when there is no room.
#include "base/log.hpp"
#include "hub/queue/log_queue_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>

namespace skerry::hub {

using namespace std::chrono_literals;

namespace {
constexpr auto losses_interval = 1min;
constexpr auto search_interval = 1s;  // after nothing was found that could be dropped
}  // namespace

LogQueueStore::Life LogQueueStore::life_of(std::optional<std::chrono::seconds> time_to_live) const {
    const auto& greatest = limits_.greatest_age;
    if (!greatest || (time_to_live && *time_to_live <= *greatest)) return {time_to_live, false};
    return {greatest, true};
}

void LogQueueStore::set_size_limit(std::uint64_t bytes) {
    limits_.bytes_on_disk = bytes;
    // Space comes back by whole segments: a small budget is of many small ones.
    const auto segment = bytes == 0 ? limits_.segment_bytes : std::min(limits_.segment_bytes, bytes / 8);
    log_->set_sizes(segment, bytes == 0 ? reserve_ : 0);
}

Result<> LogQueueStore::check_budget(std::size_t payload, const std::vector<QueueTarget>& targets) {
    const auto limit = limits_.bytes_on_disk;
    if (limit == 0) return {};  // the log keeps the reserve
    const auto growth = log_->growth(payload);
    if (growth == 0) return {};
    const auto kept = log_->growth(1);  // for what frees space
    const auto fits = [&] { return log_->bytes_on_disk() + growth + kept <= limit; };
    if (fits()) return {};
    release_segments();
    if (fits()) return {};
    const auto priority = std::ranges::min(targets, {}, &QueueTarget::priority).priority;
    if (limits_.when_full == FullPolicy::drop_oldest &&
        make_room(log_->bytes_on_disk() + growth + kept - limit, priority))
        return {};
    sweep_wanted_.set();
    log_->settle();
    return fail(Errc::full, fmt::format("the queues use {} of {} bytes on disk: consumers must take messages first, or "
                                        "storeLimits.maxSizeBytes be raised",
                                        log_->bytes_on_disk(), limit));
}

// Gives up the oldest messages of the lowest priority until so many bytes are free; no more important ones than
// `priority`. What is in flight, and the last segment, stay.
bool LogQueueStore::make_room(std::uint64_t bytes, std::uint32_t priority) {
    if (clock_.steady() < no_room_before_) return false;
    const auto before = log_->bytes_on_disk();
    release_segments();
    const auto is_done = [&] { return before - log_->bytes_on_disk() >= bytes; };
    std::map<std::uint32_t, std::vector<Queue*>, std::greater<>> by_priority;
    for (const auto& [name, endpoint] : endpoints_)
        for (const auto& [number, queue] : endpoint->queues())
            if (queue->length() > 0 && number >= priority) by_priority[number].push_back(queue.get());
    for (const auto& [number, queues] : by_priority) {
        for (const auto base : log_->segments()) {
            if (is_done()) return true;
            if (!log_->removable(base)) break;
            std::uint64_t dropped = 0;
            for (auto* const queue : queues) dropped += queue->drop_before(log_->end_of(base));
            if (dropped == 0) continue;
            acknowledged();
            if (!use_.wanted(base)) release_segments();
        }
    }
    if (is_done()) return true;
    no_room_before_ = clock_.steady() + search_interval;
    return false;
}

// What nobody wants any more goes; its space counts as free at once.
void LogQueueStore::release_segments() {
    std::vector<LogPosition> unwanted;
    for (const auto base : log_->segments())
        if (log_->removable(base) && !use_.wanted(base) && !compactor_.holds(base)) unwanted.push_back(base);
    for (const auto base : unwanted) {
        ages_.segment_removed(base);
        tallies_.removed(base);
    }
    log_->remove(std::move(unwanted));
}

void LogQueueStore::report_losses() {
    const auto now = clock_.steady();
    if (losses_told_ != SteadyTime() && now - losses_told_ < losses_interval) return;
    std::uint64_t dropped = 0;
    std::uint64_t aged = 0;
    for (const auto& queue : status()) {
        dropped += queue.dropped;
        aged += queue.aged;
    }
    if (dropped + aged <= losses_known_) return;
    log::warn(
        "{} messages were given up since the last report (since the start: {} of the lowest priority to make "
        "room, {} older than SKERRY_STORE_MAX_AGE)",
        dropped + aged - losses_known_, dropped, aged);
    losses_known_ = dropped + aged;
    losses_told_ = now;
}

}  // namespace skerry::hub
