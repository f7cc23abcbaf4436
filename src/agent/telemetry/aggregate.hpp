// One scrape, added up: series that differ only by what is not to be sent become one.
//
// Bound: 2,000 series; what is beyond is left out.
#pragma once

#include "agent/telemetry/sample.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace skerry::agent {

class Aggregate {
public:
    // A scrubbed one.
    void add(Sample sample);
    [[nodiscard]] std::vector<Sample> take();

private:
    struct Sum {
        double value{0};
        std::size_t count{0};
        bool average{false};
    };
    using Key = std::pair<std::string, std::map<std::string, std::string>>;
    std::map<Key, Sum> sums_;
};

}  // namespace skerry::agent
