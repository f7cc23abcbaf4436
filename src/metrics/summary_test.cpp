#include "metrics/summary.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace skerry::metrics;

TEST_CASE("quantiles are right within seven percent, over any magnitude") {
    for (const double unit : {1e-6, 1.0, 1e6}) {
        Summary summary;
        for (int i = 1; i <= 1000; ++i) summary.observe(unit * i);
        CHECK(summary.count() == 1000);
        CHECK(summary.sum() == doctest::Approx(unit * 500'500));
        for (const double q : {0.1, 0.5, 0.9, 0.99})
            CHECK(summary.quantile(q) == doctest::Approx(unit * 1000 * q).epsilon(0.07));
    }
}

TEST_CASE("quantiles forget after two turns, the count and the sum never") {
    Summary summary;
    CHECK(std::isnan(summary.quantile(0.5)));
    summary.observe(1);
    summary.turn();
    summary.observe(100);
    CHECK(summary.quantile(0.1) == doctest::Approx(1).epsilon(0.07));
    summary.turn();
    CHECK(summary.quantile(0.1) == doctest::Approx(100).epsilon(0.07));
    summary.turn();
    CHECK(std::isnan(summary.quantile(0.5)));
    CHECK(summary.count() == 2);
    CHECK(summary.sum() == 101);
}

TEST_CASE("values out of range count at its ends, and summaries add up") {
    Summary one;
    one.observe(0);
    one.observe(-5);
    Summary two;
    two.observe(1e300);
    two.turn();
    two.add(one);
    CHECK(two.count() == 3);
    CHECK(two.quantile(0.1) < 1e-8);
    CHECK(two.quantile(0.99) > 1e10);
}
