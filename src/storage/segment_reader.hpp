// What the log does on the worker that reads: records of segments, a chunk at a time. One thread at a time.
//
// Promises: it reads only what the log says is stored, so what is being written behind that is none of its business.
// Bounds:   4 files are kept open, and 16 places in compact segments known.
#pragma once

#include "base/result.hpp"
#include "storage/files.hpp"
#include "storage/segment_format.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

namespace skerry::storage {

struct ChunkRead {
    LogPosition base{0};
    LogPosition from{0};
    LogPosition end{0};  // of what is stored in this segment
    std::size_t at_most{0};
    bool compact{false};
};

class SegmentReader {
public:
    using Visitor = std::function<void(const LogRecord&)>;

    SegmentReader(Files& files, std::filesystem::path folder) : files_(files), folder_(std::move(folder)) {}

    // Visits whole records of about `at_most` bytes, one at least; returns where to go on.
    [[nodiscard]] Result<LogPosition> read(const ChunkRead& chunk, const Visitor& visit);
    // The segment's file was removed or replaced: what is open of it only holds space.
    void forget(LogPosition base);
    void close();

private:
    struct Open {
        LogPosition base;
        std::unique_ptr<File> file;
    };
    // Where reads of compact segments ended: the next one goes on there.
    struct Hint {
        LogPosition base;
        LogPosition from;
        std::uint64_t offset;
    };

    [[nodiscard]] Result<File*> open(LogPosition base);
    [[nodiscard]] Result<LogPosition> read_plain(File& file, const ChunkRead& chunk, const Visitor& visit);
    [[nodiscard]] Result<LogPosition> read_compact(File& file, const ChunkRead& chunk, const Visitor& visit);
    void tell_damage(const ChunkRead& chunk, std::uint64_t offset, std::uint64_t bytes) const;

    Files& files_;
    std::filesystem::path folder_;
    std::vector<Open> open_;   // the last used at the back
    std::vector<Hint> hints_;  // the newest at the back
};

}  // namespace skerry::storage
