#include "load/histogram.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

using skerry::load::Histogram;

TEST_CASE("Percentiles are exact for small values and at most 1 % too high for large ones") {
    std::mt19937_64 random(7);
    for (const int bits : {5, 12, 24, 39}) {
        Histogram histogram;
        std::vector<std::int64_t> samples;
        for (int i = 0; i < 20'000; ++i) {
            samples.push_back(1 + static_cast<std::int64_t>(random() % (std::uint64_t{1} << bits)));
            histogram.record(samples.back());
        }
        std::ranges::sort(samples);
        for (const double fraction : {0.0, 0.01, 0.5, 0.99, 0.999, 1.0}) {
            const auto rank = std::max(1.0, std::ceil(fraction * static_cast<double>(samples.size())));
            const auto exact = samples[static_cast<std::size_t>(rank) - 1];
            CHECK(histogram.at(fraction) >= exact);
            CHECK(static_cast<double>(histogram.at(fraction)) <= static_cast<double>(exact) * 1.01);
        }
        CHECK(histogram.max() == samples.back());
        CHECK(histogram.count() == samples.size());
    }
}

TEST_CASE("Nothing recorded gives zeros, and samples outside the range count as its ends") {
    Histogram histogram;
    CHECK(histogram.at(0.5) == 0);
    histogram.record(-3);
    CHECK(histogram.at(1) == 1);
    histogram.record(std::int64_t{1} << 50);
    CHECK(histogram.at(1) == (std::int64_t{1} << 40) - 1);
}
