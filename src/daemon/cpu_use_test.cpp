#include "daemon/cpu_use.hpp"

#include <doctest/doctest.h>

using namespace skerry::daemon;

TEST_CASE("processors are busy between two readings with all but idling and waiting for disks") {
    CpuMeter meter;
    CHECK(meter.used_until(read_cpu_time("cpu  10 0 10 70 10 0 0 0 0 0\ncpu0 1 2 3\n").value()) == 20.0);
    CHECK(meter.used_until(read_cpu_time("cpu  40 5 15 110 10 0 0 20 99 99\n").value()) == 60.0);
    CHECK_FALSE(meter.used_until(read_cpu_time("cpu  40 5 15 110 10 0 0 20 99 99\n").value()));
    CHECK_FALSE(meter.used_until({.busy = 1, .total = 2}));
    CHECK(meter.used_until({.busy = 2, .total = 4}) == 50.0);
}

TEST_CASE("what is no list of processor times says nothing") {
    for (const auto* text : {"", "cpu0 1 2 3 4 5 6 7 8", "cpu  1 2 3 4 5 6 7", "cpu  1 2 x 4 5 6 7 8", "cpu "})
        CHECK_MESSAGE(!read_cpu_time(text), text);
}
