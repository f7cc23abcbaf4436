#include "load/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace skerry::load {

// Values below `steps` have a bucket each; then every doubling is cut into `steps` equal parts.
std::size_t Histogram::bucket_of(std::int64_t value) {
    const auto number = static_cast<std::uint64_t>(value);
    const int shift = std::max(0, static_cast<int>(std::bit_width(number)) - steps_bits - 1);
    if (shift == 0) return static_cast<std::size_t>(number);
    return static_cast<std::size_t>(shift) * steps + static_cast<std::size_t>(number >> shift);
}

std::int64_t Histogram::highest_in(std::size_t bucket) {
    if (bucket < 2 * steps) return static_cast<std::int64_t>(bucket);
    const auto shift = bucket / steps - 1;
    const auto part = bucket - shift * steps;
    return static_cast<std::int64_t>(((part + 1) << shift) - 1);
}

void Histogram::record(std::int64_t value) {
    value = std::clamp<std::int64_t>(value, 1, (std::int64_t{1} << 40) - 1);
    ++counts_[bucket_of(value)];
    ++count_;
    max_ = std::max(max_, value);
}

std::int64_t Histogram::at(double fraction) const {
    if (count_ == 0) return 0;
    const auto wanted =
        std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(count_))));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
        seen += counts_[bucket];
        if (seen >= wanted) return std::min(highest_in(bucket), max_);
    }
    return max_;
}

}  // namespace skerry::load
