// Reads a segment line by line, verifying each.
//
// Bounds:  holds at most one line (2 MiB) and one read (256 KiB).
// Threads: one at a time. Calls block.
#pragma once

#include "base/result.hpp"
#include "cloud/events/event.hpp"
#include "storage/files.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace skerry::cloud {

class LineReader {
public:
    LineReader(std::unique_ptr<storage::File> file, std::uint64_t offset) : file_(std::move(file)), offset_(offset) {}

    struct Line {
        std::string json;
        LineHead head;
        std::uint64_t end;  // offset after it
    };
    // The next good line; nullopt at the end of what is there (call again when the file has grown). Bad lines are
    // skipped and counted.
    [[nodiscard]] Result<std::optional<Line>> next();
    [[nodiscard]] std::uint64_t skipped() const { return skipped_; }

private:
    std::unique_ptr<storage::File> file_;
    std::uint64_t offset_;  // of the first byte in `buffer_` from `start_`
    std::string buffer_;
    std::size_t start_{0};
    std::uint64_t skipped_{0};
    bool in_overlong_line_{false};
};

}  // namespace skerry::cloud
