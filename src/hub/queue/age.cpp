#include "hub/queue/age.hpp"

#include "base/encoding.hpp"

#include <algorithm>

namespace skerry::hub {

namespace {
constexpr auto never = SteadyTime::max();

std::int64_t nanoseconds(auto time) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}
}  // namespace

BootId read_boot_id(storage::Files& files) {
    BootId boot{};
    auto text = storage::read_file(files, "/proc/sys/kernel/random/boot_id", 64);
    if (!text) return boot;
    std::erase_if(*text, [](char c) { return c == '-' || c == '\n'; });
    if (const auto bytes = hex_decode(*text); bytes && bytes->size() == boot.size())
        std::ranges::copy(*bytes, boot.begin());
    return boot;
}

Ages::Ages(BootId boot, const Clock& clock)
    : boot_(boot), opened_wall_(nanoseconds(clock.wall())), opened_monotonic_(nanoseconds(clock.steady())) {}

EnqueuedAt Ages::now(const Clock& clock) const { return {nanoseconds(clock.wall()), nanoseconds(clock.steady())}; }

void Ages::segment_begins_now(LogPosition base) {
    begun_now_from_ = std::min(begun_now_from_, base);
    segment_begins(base, boot_);
}

bool Ages::of_this_boot(LogPosition base) const {
    return base >= begun_now_from_ || (boot_ != BootId{} && boot_of(base) == boot_);
}

bool Ages::same_boot(LogPosition one, LogPosition other) const {
    return boot_of(one) == boot_of(other) && of_this_boot(one) == of_this_boot(other);
}

BootId Ages::boot_of(LogPosition base) const {
    const auto boot = boots_.find(base);
    return boot == boots_.end() ? BootId{} : boot->second;
}

std::int64_t Ages::latest(LogPosition base, std::int64_t at_least) const {
    const auto last = last_seen_.find(boot_of(base));
    return last == last_seen_.end() ? at_least : std::max(at_least, last->second);
}

void Ages::seen(LogPosition base, std::int64_t monotonic) {
    const auto boot = boots_.find(base);
    if (boot == boots_.end()) return;
    const auto [known, added] = last_seen_.try_emplace(boot->second, monotonic);
    if (!added) known->second = std::max(known->second, monotonic);
}

SteadyTime Ages::since(LogPosition base, const EnqueuedAt& enqueued) const {
    auto monotonic = enqueued.monotonic;
    const auto boot = boots_.find(base);
    if (!of_this_boot(base)) {
        std::int64_t age = 0;
        if (enqueued.wall > 0 && enqueued.wall < opened_wall_) age = opened_wall_ - enqueued.wall;
        if (boot != boots_.end() && boot->second != BootId{})
            if (const auto last = last_seen_.find(boot->second); last != last_seen_.end())
                age = std::max(age, last->second - enqueued.monotonic);
        monotonic = opened_monotonic_ - age;
    }
    return SteadyTime(std::chrono::duration_cast<SteadyTime::duration>(std::chrono::nanoseconds(monotonic)));
}

SteadyTime Ages::deadline(LogPosition base, const EnqueuedAt& enqueued,
                          std::optional<std::chrono::seconds> time_to_live) const {
    // A hundred years don't overflow, and are for ever.
    if (!time_to_live || *time_to_live > std::chrono::years(100)) return never;
    return since(base, enqueued) + *time_to_live;
}

}  // namespace skerry::hub
