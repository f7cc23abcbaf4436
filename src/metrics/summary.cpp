#include "metrics/summary.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace skerry::metrics {

namespace {
// The exponent and the first three bits of the mantissa of a double are its bucket.
constexpr int bits_below = 52 - 3;
constexpr double smallest = 0x1p-30;
constexpr double largest = 0x1p34;

std::size_t bucket_of(double value) {
    const auto bits = std::bit_cast<std::uint64_t>(std::clamp(value, smallest, largest));
    return static_cast<std::size_t>((bits - std::bit_cast<std::uint64_t>(smallest)) >> bits_below);
}
double middle_of(std::size_t bucket) {
    const auto start = std::bit_cast<std::uint64_t>(smallest) + (static_cast<std::uint64_t>(bucket) << bits_below);
    return std::bit_cast<double>(start + (std::uint64_t{1} << (bits_below - 1)));
}
}  // namespace

void Summary::Window::add(std::size_t bucket, std::uint32_t times) {
    if (counts.empty()) first = bucket;
    if (bucket < first) {
        counts.insert(counts.begin(), first - bucket, 0);
        first = bucket;
    }
    if (bucket - first >= counts.size()) counts.resize(bucket - first + 1);
    auto& count = counts[bucket - first];
    count += std::min(times, std::numeric_limits<std::uint32_t>::max() - count);
}

void Summary::Window::add(const Window& other) {
    for (std::size_t i = 0; i < other.counts.size(); ++i)
        if (other.counts[i] > 0) add(other.first + i, other.counts[i]);
}

std::uint64_t Summary::Window::at(std::size_t bucket) const {
    return bucket < first || bucket - first >= counts.size() ? 0 : counts[bucket - first];
}

std::uint64_t Summary::Window::total() const { return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}); }

void Summary::observe(double value) {
    ++count_;
    sum_ += value;
    current_.add(bucket_of(value), 1);
}

void Summary::add(const Summary& other) {
    count_ += other.count_;
    sum_ += other.sum_;
    current_.add(other.current_);
    before_.add(other.before_);
}

void Summary::turn() { before_ = std::exchange(current_, {}); }

double Summary::quantile(double q) const {
    const auto total = current_.total() + before_.total();
    if (total == 0) return std::numeric_limits<double>::quiet_NaN();
    const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(total))));
    auto bucket = std::min(current_.counts.empty() ? before_.first : current_.first,
                           before_.counts.empty() ? current_.first : before_.first);
    for (std::uint64_t seen = 0;; ++bucket) {
        seen += current_.at(bucket) + before_.at(bucket);
        if (seen >= rank) return middle_of(bucket);
    }
}

}  // namespace skerry::metrics
