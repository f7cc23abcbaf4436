// An append-only log in segments: many appends, one write and one fdatasync (docs/formats/segment_log.md).
//
//   stage --> group --write--> written (`os`) --sync--> durable (`disk`)       Durability: what a record asks for
//
// Promises: what wait() says is stored survives a power cut, in the order it was staged. A record that asks for `disk`
//           is synced at once; records staged while a sync runs are the next group. One that asks for less is written
//           (`os`: at once) and synced with the next group that needs it, by settle(), and before a new segment begins.
//           After a failed write or sync nothing that was not durable is stored, and the log goes on in a new segment.
//           A full disk is Errc::full; the next record tries again.
// Bounds:   at most `staged_bytes` wait to be written (room() waits for less), and as many, of one segment, to be
//           synced; reads return about what was asked for.
// Threads:  the loop's; files are touched on the workers only, those that are read on one of their own: a read never
//           waits for what is being written. close() must be awaited before the log is destroyed while a worker has a
//           job.
#pragma once

#include "base/durability.hpp"
#include "base/event.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "base/task_scope.hpp"
#include "storage/files.hpp"
#include "storage/log_workers.hpp"
#include "storage/segment_format.hpp"

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::storage {

class LogReader;
class SegmentDisk;
class SegmentReader;
struct Compaction;

struct SegmentLogOptions {
    std::uint64_t segment_bytes{4 * 1024 * 1024};  // 4 KiB to 64 MiB; a segment for a larger record is larger
    std::size_t staged_bytes{8 * 1024 * 1024};
    // New segments are refused (Errc::full) when less would be left on the disk, unless the record is essential.
    std::uint64_t reserve_bytes{0};
};

struct LogRecovery {
    std::uint64_t segments{0};
    std::uint64_t records{0};      // that were read
    std::uint64_t cut{0};          // segments whose torn tail was thrown away
    std::uint64_t quarantined{0};  // segments that were damaged
};

class SegmentLog {
public:
    // Whoever knows what the records mean.
    class Owner {
    public:
        virtual ~Owner() = default;
        // The first record of a new segment: what a reader needs when every older segment is gone.
        virtual std::pair<std::uint8_t, std::string> snapshot(LogPosition base) = 0;
        // All records before `end` are written (`os`) or durable (`disk`).
        virtual void stored(LogPosition end, Durability as) = 0;
        // Of what was staged so far nothing from `begin` on is stored, nor will be, also if it was written.
        virtual void refused(LogPosition begin, const Error& error) = 0;
        // A sync begins; it has made so many records durable. Without the second it failed.
        virtual void sync_begins() {}
        virtual void synced(std::uint64_t records, std::uint64_t bytes) {
            (void)records;
            (void)bytes;
        }
    };

    using Visitor = std::function<void(const LogRecord&)>;

    // Repairs what is there, and tells `reader` of it, on the worker that writes.
    [[nodiscard]] static Task<Result<std::unique_ptr<SegmentLog>>> open(Files& files, std::filesystem::path folder,
                                                                        LogWorkers workers, Executor executor,
                                                                        SegmentLogOptions options, Owner& owner,
                                                                        LogReader& reader);
    ~SegmentLog();

    struct Group;
    struct Staged {
        LogPosition at;
        std::shared_ptr<Group> group;
    };
    // Gives the record its place; it is written as soon as the disk is free. `payload`: 1 byte to largest_record.
    // Essential records may use the reserve: those that lead to space being freed. `memory`: it is written with other
    // records, or by settle().
    [[nodiscard]] Result<Staged> stage(std::uint8_t kind, std::string_view payload, bool essential = false,
                                       Durability durability = Durability::disk);
    // Waits until the record is durable, which is by settle() or later when it didn't ask for that.
    [[nodiscard]] Task<Result<>> wait(Staged staged);
    // Has everything written that is staged, and synced what asked for `os`.
    void settle();
    // Waits until less than `staged_bytes` wait for the disk; first come, first served.
    [[nodiscard]] Task<> room();
    // Nobody need wait now.
    [[nodiscard]] bool has_room() const { return line_->waiting.empty() && staged_bytes_ < options_.staged_bytes; }

    // Visits stored records from `from` on, all in one segment and about `at_most` bytes, but at least one; on the
    // worker that reads. Returns where to go on; there is more while that is before durable_end().
    [[nodiscard]] Task<Result<LogPosition>> read(LogPosition from, std::size_t at_most, Visitor visit);

    // Removes full segments that nobody wants any more; those that aren't removable() are left alone. They count no
    // more at once; their files go before anything else is written.
    void remove(std::vector<LogPosition> bases);
    // Full segments that lie behind one another become one of the first's base, with those records that are to be kept,
    // each at its place. Until then, and after an error, they are as they were. They must not be removed meanwhile.
    [[nodiscard]] Task<Result<>> compact(Compaction compaction);
    // As in the options; for segments that are begun from now on.
    void set_sizes(std::uint64_t segment_bytes, std::uint64_t reserve_bytes);
    [[nodiscard]] std::uint64_t segment_bytes() const { return options_.segment_bytes; }
    // Older than a segment whose snapshot is stored.
    [[nodiscard]] bool removable(LogPosition base) const;

    // The base of the segment that holds, or held, this place.
    [[nodiscard]] LogPosition segment_of(LogPosition at) const;
    [[nodiscard]] std::vector<LogPosition> segments() const;
    // Where what is staged in this segment ends; 0 when there is no such segment.
    [[nodiscard]] LogPosition end_of(LogPosition base) const;
    [[nodiscard]] std::uint64_t size_of(LogPosition base) const;  // of its file; 0 when there is no such segment
    [[nodiscard]] LogPosition durable_end() const { return durable_end_; }
    [[nodiscard]] std::uint64_t bytes_on_disk() const { return bytes_on_disk_; }
    // By how much a record of this size would make bytes_on_disk() grow.
    [[nodiscard]] std::uint64_t growth(std::size_t payload) const;
    [[nodiscard]] const LogRecovery& recovery() const { return recovery_; }

    // Writes what is staged, gives unused space back and stops.
    [[nodiscard]] Task<> close();

private:
    struct Segment {
        std::uint64_t size;       // of the file
        LogPosition end;          // of what is staged
        LogPosition durable_end;  // of what is synced
        bool compact{false};
    };

    SegmentLog(std::shared_ptr<SegmentDisk> disk, std::shared_ptr<SegmentReader> reader, LogWorkers workers,
               Executor executor, SegmentLogOptions options, Owner& owner);
    [[nodiscard]] bool fits(std::size_t payload) const;
    void begin_segment(std::size_t payload, bool essential);
    void begin_group(LogPosition base, LogPosition at);
    void put(std::uint8_t kind, std::string_view payload, Durability durability);
    [[nodiscard]] Task<Result<std::uint64_t>> copy_compact(const Compaction& compaction);
    [[nodiscard]] bool work_is_due() const;
    [[nodiscard]] bool sync_is_due() const;
    [[nodiscard]] bool is_synced() const { return written_end_ == durable_end_; }
    [[nodiscard]] Task<> gather();
    [[nodiscard]] Task<> write_groups();
    [[nodiscard]] Task<> write_group();
    [[nodiscard]] Task<> sync_written();
    [[nodiscard]] Task<> remove_files();
    [[nodiscard]] Task<> forget(std::vector<LogPosition> bases);
    [[nodiscard]] Task<Result<>> replace(const Compaction& compaction, std::uint64_t bytes);
    void group_written(const std::shared_ptr<Group>& group);
    void all_synced();
    void all_failed(const Error& error);

    std::shared_ptr<SegmentDisk> disk_;
    std::shared_ptr<SegmentReader> reader_;
    Worker& worker_;
    Worker& reading_worker_;
    Executor executor_;
    SegmentLogOptions options_;
    Owner& owner_;
    LogRecovery recovery_;

    std::map<LogPosition, Segment> segments_;
    std::optional<LogPosition> active_;
    std::deque<std::shared_ptr<Group>> groups_;         // the first is being written
    std::vector<std::shared_ptr<Group>> awaited_;       // written, not synced, and somebody waits
    Durability wanted_of_written_{Durability::memory};  // by what is written and not synced
    LogPosition written_base_{0};                       // the segment of what was written last
    std::vector<LogPosition> removed_;                  // whose files are there
    std::size_t staged_bytes_{0};
    std::uint64_t unsynced_records_{0};  // written
    std::uint64_t unsynced_bytes_{0};
    std::uint64_t bytes_on_disk_{0};
    LogPosition durable_end_{0};
    LogPosition written_end_{0};
    LogPosition promised_end_{0};  // durable when the last group will be written
    LogPosition settle_before_{0};
    LogPosition next_base_{0};
    LogPosition removable_before_{0};
    bool writing_{false};
    bool replacing_{false};  // files of segments change
    std::size_t reads_{0};   // that run
    bool closed_{false};

    Signal work_;
    Signal progress_;
    struct Line {  // of those who wait for room
        explicit Line(Executor executor) : moved(std::move(executor)) {}
        std::deque<std::uint64_t> waiting;
        std::uint64_t next{0};
        Signal moved;
    };
    std::shared_ptr<Line> line_;
    TaskScope scope_;
};

}  // namespace skerry::storage
