// The files of the event log: named by their first sequence number, appended to at the end, removed at the front.
//
// Promises: append() returns once the lines are on disk; after a failure the file is cut back to its last good line, or
//           left for a new one. A torn tail is cut at open; bad lines before it stay and are skipped by readers.
// Threads:  one at a time (the log's worker). Calls block.
#pragma once

#include "base/clock.hpp"
#include "storage/files.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::cloud {

struct EventLogLimits {
    std::uint64_t bytes{1024ULL * 1024 * 1024};
    Duration age{std::chrono::hours(24 * 7)};
    std::uint64_t segment_bytes{16ULL * 1024 * 1024};
};

// "events-00000000000000000001.log"
[[nodiscard]] std::string segment_name(std::uint64_t first_sequence);
[[nodiscard]] std::optional<std::uint64_t> parse_segment_name(std::string_view name);

class Segments {
public:
    [[nodiscard]] static Result<std::unique_ptr<Segments>> open(storage::Files& files, std::filesystem::path folder,
                                                                EventLogLimits limits);

    [[nodiscard]] std::uint64_t next_sequence() const { return next_sequence_; }  // as found at open

    // `lines` are whole; the first has the number `sequence`.
    [[nodiscard]] Result<> append(std::uint64_t sequence, std::string_view lines, WallTime now);

private:
    struct Segment {
        std::uint64_t first;
        std::uint64_t bytes;
        WallTime newest;
    };

    Segments(storage::Files& files, std::filesystem::path folder, EventLogLimits limits)
        : files_(files), folder_(std::move(folder)), limits_(limits) {}
    [[nodiscard]] Result<> recover();
    [[nodiscard]] Result<> recover_last(Segment& segment);
    [[nodiscard]] Result<> begin_segment(std::uint64_t sequence);
    void give_up_on_current();
    void trim(WallTime now);

    storage::Files& files_;
    std::filesystem::path folder_;
    EventLogLimits limits_;
    std::vector<Segment> segments_;  // oldest first; the last is `current_`, if that is open
    std::unique_ptr<storage::File> current_;
    std::uint64_t next_sequence_{1};
};

}  // namespace skerry::cloud
