// Reading a log's folder without touching it, also while its owner writes.
//
// Promises: nothing is written, created or removed. Segments that disappear meanwhile are left out.
// Bounds:   one segment in memory.
#pragma once

#include "base/result.hpp"
#include "storage/files.hpp"
#include "storage/segment_format.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace skerry::storage {

struct ScannedSegment {
    LogPosition base{0};
    std::string name;
    std::uint64_t bytes{0};  // of the file
    SegmentCheck check;
    std::string problem;  // why it can't be read at all; `check` says nothing then
};

struct LogScan {
    std::vector<ScannedSegment> segments;  // in order
    std::vector<std::string> set_aside;    // damaged originals that a repair kept
};

// Errc::not_found when there is no such folder. `visit` sees every readable record, in order.
[[nodiscard]] Result<LogScan> scan_log(Files& files, const std::filesystem::path& folder,
                                       const std::function<void(const LogRecord&)>& visit);

}  // namespace skerry::storage
