// How long each module was meant to run, and how long it did.
//
//   every look: expected += time since the last look, of modules that are to run; running += the same, of those that
//   ran at that look: a look follows each change
//
// Promises: the time that the agent itself was down without having stopped in order counts as expected, but not as
//           running, for edgeAgent: a checkpoint of the time lies on the disk, every 5 minutes; an agent that stops in
//           order removes it.
// Bounds:   one entry per module of the deployment; those that left it go.
#pragma once

#include "base/clock.hpp"
#include "storage/files.hpp"

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace skerry::agent {

class Availability {
public:
    // `folder` holds the checkpoint; it is made when needed.
    Availability(storage::Files& files, Clock& clock, std::filesystem::path folder);

    struct Point {
        std::string module;
        bool expected{false};
        bool runs{false};
    };
    // All modules of the deployment as they are now.
    void saw(const std::vector<Point>& points);
    // The agent stops in order.
    void ended();

    struct Times {
        Duration expected{};
        Duration running{};
    };
    [[nodiscard]] const std::map<std::string, Times>& all() const { return times_; }

private:
    void open();
    void keep_checkpoint();

    storage::Files& files_;
    Clock& clock_;
    std::filesystem::path folder_;
    std::filesystem::path file_;
    bool opened_{false};
    std::optional<SteadyTime> kept_;
    std::map<std::string, Times> times_;
    struct Seen {
        SteadyTime at;
        bool runs{false};
    };
    std::map<std::string, Seen> seen_;  // of those that were expected at the last look
};

// .NET's: 100 ns since the year 1.
[[nodiscard]] std::int64_t utc_ticks(WallTime time);
[[nodiscard]] std::optional<WallTime> from_utc_ticks(std::int64_t ticks);  // nullopt: beyond what WallTime holds

}  // namespace skerry::agent
