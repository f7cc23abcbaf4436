// Says how often something happened, but seldom: what others can make happen must not fill the log.
#pragma once

#include "base/clock.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

namespace skerry::daemon {

class Seldom {
public:
    explicit Seldom(Clock& clock) : clock_(clock) {}

    // Counts one. How often it happened since that was told last; nullopt: it is too early to tell again.
    [[nodiscard]] std::optional<std::uint64_t> count() {
        constexpr Duration pause = std::chrono::seconds(10);
        ++count_;
        const auto now = clock_.steady();
        if (told_ && now - *told_ < pause) return std::nullopt;
        told_ = now;
        return std::exchange(count_, 0);
    }

private:
    Clock& clock_;
    std::uint64_t count_{0};
    std::optional<SteadyTime> told_;
};

}  // namespace skerry::daemon
