// Many connections: how fast new ones are admitted, and what open ones that say nothing cost.
#pragma once

#include "load/histogram.hpp"
#include "load/options.hpp"

#include <cstdint>
#include <string>

namespace skerry::load {

struct CrowdResult {
    std::uint64_t admitted{0};
    std::uint64_t failed{0};
    double seconds{0};
    Histogram latency;  // from the dial to CONNACK, nanoseconds
    std::string error;  // the first failure
};

// New connections, `at_once` of them on their way at any time, each closed once it is admitted; for `seconds`.
[[nodiscard]] CrowdResult connect_and_leave(const Options& options, const Target& target);

// Opens `connections` and holds them for `seconds`; `tell` hears when all are open.
[[nodiscard]] CrowdResult connect_and_stay(const Options& options, const Target& target,
                                           void (*tell)(const std::string&));

}  // namespace skerry::load
