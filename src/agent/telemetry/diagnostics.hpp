// The telemetry's binary format (agent-and-daemon.md 4.5), and the series of points that it carries.
//
//   per series: int32 length, name, int32 length, labels as JSON, int32 count, count x (int64 .NET ticks, double)
//
// little-endian. Decoding is for our own file and for tests.
//
// Bounds: 20,000 points; the oldest give way. 255,000 bytes per message.
#pragma once

#include "agent/telemetry/sample.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::agent {

struct Point {
    std::int64_t ticks{0};
    double value{0};
    bool operator==(const Point&) const = default;
};

class Diagnostics {
public:
    // Of a run of equal values the first and the last stay.
    void add(const std::vector<Sample>& samples, WallTime when);
    void forget_before(WallTime when);
    [[nodiscard]] bool empty() const { return series_.empty(); }
    [[nodiscard]] std::size_t points() const;

    [[nodiscard]] std::string encode() const;
    // In pieces of 255,000 bytes at most.
    [[nodiscard]] std::vector<std::string> messages() const;
    // Errc::malformed with what is wrong.
    [[nodiscard]] static Result<Diagnostics> decode(std::string_view bytes);

    using Key = std::pair<std::string, std::string>;  // name, labels as JSON
    [[nodiscard]] const std::map<Key, std::vector<Point>>& series() const { return series_; }

private:
    void make_room();

    std::map<Key, std::vector<Point>> series_;
};

}  // namespace skerry::agent
