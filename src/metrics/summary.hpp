// The distribution of a number, in little memory: how many, their sum, and quantiles of the last hour or so.
//
// Promises: observe() allocates only for values of a magnitude not seen before. A quantile is right within 7 %.
// Bounds:   8 buckets of 4 bytes per doubling between 2^-30 and 2^34, of the doublings that occur; two windows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace skerry::metrics {

class Summary {
public:
    void observe(double value);
    // Forgets what is older than one turn: call it every half of the age that quantiles may have.
    void turn();

    void add(const Summary& other);

    [[nodiscard]] std::uint64_t count() const { return count_; }
    [[nodiscard]] double sum() const { return sum_; }
    // Of the last one to two turns; NaN without any.
    [[nodiscard]] double quantile(double q) const;

private:
    struct Window {
        std::size_t first{0};  // the bucket that counts[0] belongs to
        std::vector<std::uint32_t> counts;

        void add(std::size_t bucket, std::uint32_t times);
        void add(const Window& other);
        [[nodiscard]] std::uint64_t at(std::size_t bucket) const;
        [[nodiscard]] std::uint64_t total() const;
    };
    std::uint64_t count_{0};
    double sum_{0};
    Window current_;
    Window before_;
};

}  // namespace skerry::metrics
