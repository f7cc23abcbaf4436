// How often a number was at most so large, by fixed bounds, since the start: what can be added up over many devices.
//
// Promises: observe() allocates nothing.
// Bounds:   15 bounds at most; they must outlive the histogram.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace skerry::metrics {

class Histogram {
public:
    static constexpr std::size_t most_bounds = 15;

    // `bounds` ascend.
    explicit Histogram(std::span<const double> bounds) : bounds_(bounds.first(std::min(bounds.size(), most_bounds))) {}

    void observe(double value) {
        const auto bound = std::ranges::lower_bound(bounds_, value);
        ++counts_[static_cast<std::size_t>(bound - bounds_.begin())];
        sum_ += value;
    }

    [[nodiscard]] std::span<const double> bounds() const { return bounds_; }
    // Values above bound n-1 and not above bound n; the last one has no bound.
    [[nodiscard]] std::uint64_t count(std::size_t n) const { return counts_[n]; }
    [[nodiscard]] double sum() const { return sum_; }

private:
    std::span<const double> bounds_;
    std::array<std::uint64_t, most_bounds + 1> counts_{};
    double sum_{0};
};

}  // namespace skerry::metrics
