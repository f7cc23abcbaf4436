// Times, counted in buckets whose width is at most 1 % of their value: percentiles of any number of samples in constant
// memory (the idea of HdrHistogram).
//
// Bounds: 1 to 2^40 units; smaller samples count as 1, larger ones as the largest.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace skerry::load {

class Histogram {
public:
    void record(std::int64_t value);
    // The value that `fraction` (0 to 1) of the samples do not exceed, rounded up by at most 1 %; 0 without samples.
    [[nodiscard]] std::int64_t at(double fraction) const;
    [[nodiscard]] std::int64_t max() const { return max_; }
    [[nodiscard]] std::uint64_t count() const { return count_; }

private:
    static constexpr int steps_bits = 7;  // 128 buckets for each doubling
    static constexpr std::size_t steps = std::size_t{1} << steps_bits;
    static constexpr int doublings = 40 - steps_bits;
    [[nodiscard]] static std::size_t bucket_of(std::int64_t value);
    [[nodiscard]] static std::int64_t highest_in(std::size_t bucket);

    std::array<std::uint64_t, steps*(doublings + 1)> counts_{};
    std::uint64_t count_{0};
    std::int64_t max_{0};
};

}  // namespace skerry::load
