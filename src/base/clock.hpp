// Time as a parameter: the system's clock in the product, a virtual one in src/sim.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace skerry {

using Duration = std::chrono::nanoseconds;
using WallTime = std::chrono::system_clock::time_point;    // for humans, tokens and certificates; may jump
using SteadyTime = std::chrono::steady_clock::time_point;  // for timers and ages; never jumps

class Clock {
public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual WallTime wall() const = 0;
    [[nodiscard]] virtual SteadyTime steady() const = 0;

    // Waits until `when`; at once if that is past.
    [[nodiscard]] virtual Task<> sleep_until(SteadyTime when) = 0;
    [[nodiscard]] Task<> sleep(Duration duration) { return sleep_until(steady() + duration); }
};

class SystemClock final : public Clock {
public:
    [[nodiscard]] WallTime wall() const override;
    [[nodiscard]] SteadyTime steady() const override;
    [[nodiscard]] Task<> sleep_until(SteadyTime when) override;
};

// "2024-01-31T10:00:00.123Z"; `digits` of the second's fraction: 0, 3, or 7 (what .NET calls "o").
[[nodiscard]] std::string format_rfc3339(WallTime time, int digits = 3);
// Accepts any number of fraction digits, and Z or an offset. nullopt too for years outside 1678 to 2261, which
// WallTime can't hold: what .NET writes for "never" (year 1) is an absent time.
[[nodiscard]] std::optional<WallTime> parse_rfc3339(std::string_view text);

[[nodiscard]] inline std::int64_t unix_seconds(WallTime time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}
[[nodiscard]] inline std::int64_t unix_milliseconds(WallTime time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace skerry
