// What the log does on the worker that writes: recovers, creates, writes, compacts and removes segment files. One
// thread at a time; readers of the same files are segment_reader.hpp.
#pragma once

#include "base/result.hpp"
#include "storage/files.hpp"
#include "storage/segment_format.hpp"
#include "storage/segment_reader.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skerry::storage {

// Who learns what is in a log when it is opened.
class LogReader {
public:
    virtual ~LogReader() = default;
    // The first record of each segment, as far as it is readable, in order, before anything else.
    virtual void first(const LogRecord& record) = 0;
    // Where the segment ends, when a later one's first record has told all that is wanted of it: it need not be read.
    [[nodiscard]] virtual std::optional<LogPosition> known_end(LogPosition base) = 0;
    // Every record of the segments that are read, in order.
    virtual void visit(LogPosition base, const LogRecord& record) = 0;
    // The segment was not read.
    virtual void skipped(LogPosition base) = 0;
};

struct RecoveredSegment {
    LogPosition base{0};
    LogPosition end{0};
    std::uint64_t size{0};
    std::uint64_t records{0};
    bool cut{false};
    bool quarantined{false};
    bool compact{false};
};

// One group on its way: records that lie behind one another in one segment.
struct GroupWrite {
    LogPosition base{0};
    std::uint64_t offset{0};  // in the file
    std::string bytes;
    std::uint64_t create_size{0};  // 0: the file is there
    std::uint64_t reserve{0};      // must be left on the disk after creating
    bool sync{true};
};

// Segments that become one: what it begins with, and which of their records it keeps.
struct Compaction {
    std::vector<LogPosition> bases;  // in order, nothing between them
    std::uint8_t first_kind{0};
    std::string first;              // its first record
    std::vector<LogPosition> keep;  // ascending
};

class SegmentDisk {
public:
    SegmentDisk(Files& files, std::filesystem::path folder)
        : files_(files), folder_(std::move(folder)), copied_(files_, folder_) {}

    // Repairs the folder and tells what is in it, segment by segment.
    [[nodiscard]] Result<std::vector<RecoveredSegment>> recover(LogReader& reader);
    // Where the log must go on so that no position comes twice; known after recover().
    [[nodiscard]] LogPosition next_base() const { return next_base_; }

    // Writes, and syncs if asked to. On an error the file is cut to what was there before, or removed, as far as the
    // disk lets us.
    [[nodiscard]] Result<> write(const GroupWrite& group);
    // Makes durable what was written to the segment, up to `end`. On an error it is not written to any more.
    [[nodiscard]] Result<> sync(LogPosition base, LogPosition end);
    void remove(LogPosition base);

    // A compact segment comes to be beside what it replaces, under the name of the first, and then takes its place.
    [[nodiscard]] Result<> begin_compact(const Compaction& compaction);
    // Copies what is to be kept from a chunk; returns where to go on.
    [[nodiscard]] Result<LogPosition> copy_kept(const ChunkRead& chunk, const Compaction& compaction);
    // Makes it durable; the size of its file.
    [[nodiscard]] Result<std::uint64_t> finish_compact(SegmentHeader header);
    [[nodiscard]] Result<> put_in_place(const Compaction& compaction);
    void abandon_compact(LogPosition base);
    // Gives back the reserved space behind `end`. Best effort.
    void shrink(LogPosition base, LogPosition end);
    void close_files();

private:
    struct Head {
        LogPosition base{0};
        std::optional<SegmentHeader> header;  // valid, and of this base
        bool first_readable{false};
        std::uint64_t size{0};
    };
    [[nodiscard]] std::filesystem::path path_of(LogPosition base, std::string_view suffix = ".seg") const;
    [[nodiscard]] Result<std::vector<LogPosition>> list_segments();
    // `durable`: what the next segment says was durable; 0 when there is none.
    [[nodiscard]] Result<std::optional<RecoveredSegment>> recover_one(LogPosition base, LogPosition durable, bool last,
                                                                      LogReader& reader);
    [[nodiscard]] Head read_head(LogPosition base, LogReader& reader);
    [[nodiscard]] std::optional<RecoveredSegment> trust(const Head& head, LogPosition durable, LogReader& reader);
    [[nodiscard]] Result<> move_aside(LogPosition base);
    [[nodiscard]] Result<> quarantine(LogPosition base, std::string_view repaired);
    void limit_quarantine();
    [[nodiscard]] Result<std::vector<Head>> read_heads(LogReader& reader);
    [[nodiscard]] Result<> create(const GroupWrite& group);
    [[nodiscard]] Result<> write_and_sync(const GroupWrite& group);
    [[nodiscard]] Result<> sync_active();
    // What a process that was killed has written need not be on the disk yet.
    [[nodiscard]] Result<> sync_recovered(const std::vector<LogPosition>& read);

    struct Active {
        LogPosition base;
        std::unique_ptr<File> file;
        bool nameless;  // the folder's entry is not durable yet
    };

    Files& files_;
    std::filesystem::path folder_;
    LogPosition next_base_{0};
    std::optional<Active> active_;  // being written
    SegmentReader copied_;          // what a compaction reads

    struct Compacting {
        std::unique_ptr<File> file;
        std::uint64_t bytes{0};
    };
    std::optional<Compacting> compacting_;
};

}  // namespace skerry::storage
