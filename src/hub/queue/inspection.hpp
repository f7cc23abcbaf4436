// What lies in the hub's queues, read from their files: for people, on a running or a stopped hub. Nothing is written.
//
// Bounds: one segment, and 24 bytes per message that is not done.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "hub/queue/records.hpp"
#include "storage/files.hpp"
#include "storage/segment_scan.hpp"

#include <boost/json/fwd.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace skerry::hub {

struct InspectedQueue {
    std::string endpoint;
    std::uint32_t priority{default_priority};
    std::uint64_t messages{0};
    std::uint64_t bytes{0};          // in the log
    std::optional<WallTime> oldest;  // when it came
    std::optional<WallTime> newest;
};

struct Inspection {
    std::filesystem::path folder;
    storage::LogScan log;
    std::vector<InspectedQueue> queues;  // by endpoint and priority
    std::uint64_t unreadable{0};         // records that are whole and mean nothing
};

// The queues' folder: `place` itself, or where it is below a hub's StorageFolder or a daemon's home. Errc::not_found.
[[nodiscard]] Result<std::filesystem::path> find_queues(storage::Files& files, const std::filesystem::path& place);

// A message that a running hub acknowledged within the last 100 ms may still count.
[[nodiscard]] Result<Inspection> inspect_queues(storage::Files& files, const std::filesystem::path& folder);

[[nodiscard]] std::string inspection_text(const Inspection& inspection, WallTime now);
[[nodiscard]] boost::json::object inspection_json(const Inspection& inspection);

// A line for each segment that says which of its bytes are damaged; `sound` tells whether none are.
struct Verdict {
    std::string text;
    bool sound{true};
};
[[nodiscard]] Verdict verify_log(const Inspection& inspection);

}  // namespace skerry::hub
