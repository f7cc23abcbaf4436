#include "agent/metrics/availability.hpp"

#include "agent/plan.hpp"
#include "base/log.hpp"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

namespace skerry::agent {

namespace {

constexpr Duration between_checkpoints = std::chrono::minutes(5);
constexpr std::int64_t epoch_ticks = 621'355'968'000'000'000;  // of 1970
constexpr std::int64_t nanoseconds_per_tick = 100;
constexpr std::int64_t furthest = 90'000'000'000'000'000;  // 285 years in ticks: what WallTime holds

}  // namespace

std::int64_t utc_ticks(WallTime time) {
    const auto since = std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
    return epoch_ticks + since / nanoseconds_per_tick;
}

std::optional<WallTime> from_utc_ticks(std::int64_t ticks) {
    if (ticks < epoch_ticks - furthest || ticks > epoch_ticks + furthest) return std::nullopt;
    return WallTime(std::chrono::nanoseconds((ticks - epoch_ticks) * nanoseconds_per_tick));
}

// The file's name is the existing agent's, letter by letter.
Availability::Availability(storage::Files& files, Clock& clock, std::filesystem::path folder)
    : files_(files), clock_(clock), folder_(std::move(folder)), file_(folder_ / "avaliability.checkpoint") {}

void Availability::open() {
    opened_ = true;
    const auto text = files_.exists(file_) ? storage::read_file(files_, file_, 64) : Result<std::string>();
    if (!text || text->empty()) return;
    std::int64_t ticks = 0;
    const auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), ticks);
    const auto kept = failed == std::errc() ? from_utc_ticks(ticks) : std::nullopt;
    if (!kept) return;
    // A clock that went back tells nothing.
    if (const Duration down = clock_.wall() - *kept; down > Duration{})
        times_[std::string(agent_name)].expected += down;
}

void Availability::keep_checkpoint() {
    const auto now = clock_.steady();
    if (kept_ && now - *kept_ < between_checkpoints) return;
    kept_ = now;
    auto kept = files_.make_folders(folder_, 0700);
    if (kept) kept = storage::replace_file(files_, file_, std::to_string(utc_ticks(clock_.wall())));
    if (!kept) log::debug("Noting the time for the availability of modules failed: {}", kept.error().text);
}

void Availability::saw(const std::vector<Point>& points) {
    if (!opened_) open();
    const auto now = clock_.steady();
    std::set<std::string> there{std::string(agent_name)};
    for (const auto& point : points) {
        there.insert(point.module);
        if (!point.expected) {
            seen_.erase(point.module);
            continue;
        }
        const auto [last, first] = seen_.try_emplace(point.module, Seen{.at = now});
        const auto before = std::exchange(last->second, Seen{.at = now, .runs = point.runs});
        auto& times = times_[point.module];
        const auto passed = now - before.at;
        times.expected += passed;
        if (before.runs) times.running += passed;
    }
    const auto left = [&](const auto& entry) { return !there.contains(entry.first); };
    std::erase_if(times_, left);
    std::erase_if(seen_, left);
    keep_checkpoint();
}

void Availability::ended() {
    if (!files_.exists(file_)) return;
    if (const auto removed = files_.remove(file_); !removed) log::debug("{}", removed.error().text);
}

}  // namespace skerry::agent
