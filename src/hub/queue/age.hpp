// How old a stored message is, when clocks jump and machines restart.
//
// Promises: on the boot that stored it, the monotonic clock alone decides. After a reboot its age is the larger of what
//           the wall clock says at opening and what its own boot had seen last; from then on the monotonic one counts.
#pragma once

#include "base/clock.hpp"
#include "hub/queue/records.hpp"
#include "storage/files.hpp"

#include <chrono>
#include <limits>
#include <map>
#include <optional>

namespace skerry::hub {

// The kernel's number of this boot; zero when there is none.
[[nodiscard]] BootId read_boot_id(storage::Files& files);

class Ages {
public:
    // `now` is when the log is opened, on the boot `boot`.
    Ages(BootId boot, const Clock& clock);

    [[nodiscard]] const BootId& boot() const { return boot_; }
    [[nodiscard]] EnqueuedAt now(const Clock& clock) const;

    // A segment that begins at `base` was written on this boot.
    void segment_begins(LogPosition base, const BootId& boot) { boots_[base] = boot; }
    // It is being written now: what comes into it is of this boot, also when nobody knows which boot that is.
    void segment_begins_now(LogPosition base);
    // Times of both can be compared.
    [[nodiscard]] bool same_boot(LogPosition one, LogPosition other) const;
    void segment_removed(LogPosition base) { boots_.erase(base); }
    // The boot that wrote it; zero when nobody knows.
    [[nodiscard]] BootId boot_of(LogPosition base) const;
    // The latest time that its boot is known to have been alive at, or `at_least`.
    [[nodiscard]] std::int64_t latest(LogPosition base, std::int64_t at_least) const;
    // That boot was alive at this time.
    void seen(LogPosition base, std::int64_t monotonic);

    // When it was stored, on this boot's monotonic clock; that may be before its zero.
    [[nodiscard]] SteadyTime since(LogPosition base, const EnqueuedAt& enqueued) const;
    // When it expires, on this boot's monotonic clock; SteadyTime::max() for never.
    [[nodiscard]] SteadyTime deadline(LogPosition base, const EnqueuedAt& enqueued,
                                      std::optional<std::chrono::seconds> time_to_live) const;

private:
    [[nodiscard]] bool of_this_boot(LogPosition base) const;

    BootId boot_;
    LogPosition begun_now_from_{std::numeric_limits<LogPosition>::max()};
    std::int64_t opened_wall_;
    std::int64_t opened_monotonic_;
    std::map<LogPosition, BootId> boots_;       // by segment
    std::map<BootId, std::int64_t> last_seen_;  // monotonic
};

}  // namespace skerry::hub
