// Exponential back-off with jitter, so that many clients don't come back at the same instant.
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"

#include <algorithm>

namespace skerry {

class Backoff {
public:
    Backoff(Random& random, Duration first, Duration longest) : random_(random), first_(first), longest_(longest) {}

    // The next delay: between 50 % and 100 % of first * 2^n, at most `longest`.
    [[nodiscard]] Duration next() {
        const auto full = std::min(longest_, first_ * (std::int64_t{1} << std::min(step_, 30)));
        if (full < longest_) ++step_;
        const auto half = full / 2;
        return half + Duration(random_.below(static_cast<std::uint64_t>(half.count()) + 1));
    }
    void reset() { step_ = 0; }

private:
    Random& random_;
    Duration first_;
    Duration longest_;
    int step_{0};
};

}  // namespace skerry
