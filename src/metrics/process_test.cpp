#include "metrics/process.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <string>

using namespace skerry::metrics;

TEST_CASE("the kernel's line about a process is read whatever the process is called") {
    const std::string line =
        "71 (a ) (b) S 1 71 71 0 -1 4194560 1 2 3 4 250 150 0 0 20 0 9 0 5000 123456789 321 18446744073709551615 1\n";
    const auto status = parse_process_stat(line, 1000.0);
    REQUIRE(status);
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    CHECK(status->cpu_seconds == doctest::Approx(400 / ticks));
    CHECK(status->threads == 9);
    CHECK(status->virtual_bytes == 123456789);
    CHECK(status->resident_bytes == 321 * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)));
    CHECK(status->started.value() == doctest::Approx(1000 + 5000 / ticks));
    for (const auto* bad : {"", "71", "71 (a", "71 (a) S 1 2 3"}) CHECK_FALSE(parse_process_stat(bad, {}));
    CHECK_FALSE(parse_process_stat(line, {})->started);
}
