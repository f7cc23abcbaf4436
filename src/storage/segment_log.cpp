#include "storage/segment_log.hpp"

#include "base/log.hpp"
#include "storage/segment_disk.hpp"
#include "storage/segment_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace skerry::storage {

namespace {
constexpr std::size_t worth_writing = 256 * 1024;  // of records that ask for nothing
}

// Records that are written together, in one segment.
struct SegmentLog::Group {
    LogPosition base{0};
    LogPosition begin{0};
    LogPosition end{0};
    std::uint64_t create_size{0};
    bool essential{false};
    Durability strongest{Durability::memory};  // what its records ask for
    bool hasty{false};                         // one of them needn't wait for a sync
    std::uint64_t records{0};
    std::string bytes;
    std::optional<Result<>> outcome;  // once it is durable, or will never be
};

SegmentLog::SegmentLog(std::shared_ptr<SegmentDisk> disk, std::shared_ptr<SegmentReader> reader, LogWorkers workers,
                       Executor executor, SegmentLogOptions options, Owner& owner)
    : disk_(std::move(disk)),
      reader_(std::move(reader)),
      worker_(workers.writing),
      reading_worker_(workers.reading),
      executor_(executor),
      options_(options),
      owner_(owner),
      work_(executor),
      progress_(executor),
      line_(std::make_shared<Line>(executor)),
      scope_(executor) {}

SegmentLog::~SegmentLog() = default;

Task<Result<std::unique_ptr<SegmentLog>>> SegmentLog::open(Files& files, std::filesystem::path folder,
                                                           LogWorkers workers, Executor executor,
                                                           SegmentLogOptions options, Owner& owner, LogReader& reader) {
    const auto records = std::make_shared<SegmentReader>(files, folder);
    const auto disk = std::make_shared<SegmentDisk>(files, std::move(folder));
    auto segments = co_await workers.writing.run([&] { return disk->recover(reader); });
    if (!segments) co_return fail(segments.error().while_doing("opening the log"));
    std::unique_ptr<SegmentLog> log(new SegmentLog(disk, records, workers, executor, options, owner));
    for (const auto& segment : *segments) {
        log->segments_[segment.base] = {segment.size, segment.end, segment.end, segment.compact};
        log->bytes_on_disk_ += segment.size;
        log->durable_end_ = segment.end;
        log->removable_before_ = segment.base;  // each begins with a snapshot, and this one is stored
        ++log->recovery_.segments;
        log->recovery_.records += segment.records;
        log->recovery_.cut += segment.cut ? 1 : 0;
        log->recovery_.quarantined += segment.quarantined ? 1 : 0;
    }
    log->set_sizes(options.segment_bytes, options.reserve_bytes);
    log->next_base_ = disk->next_base();
    log->written_end_ = log->promised_end_ = log->durable_end_;
    log->scope_.spawn("segment log", log->write_groups());
    co_return log;
}

void SegmentLog::set_sizes(std::uint64_t segment_bytes, std::uint64_t reserve_bytes) {
    options_.segment_bytes = std::clamp<std::uint64_t>(segment_bytes, 4096, 64 * 1024 * 1024) & ~std::uint64_t{7};
    options_.reserve_bytes = reserve_bytes;
}

bool SegmentLog::fits(std::size_t payload) const {
    if (!active_) return false;
    const auto& segment = segments_.at(*active_);
    return segment.end + record_bytes(payload) <= *active_ + segment.size;
}

std::uint64_t SegmentLog::growth(std::size_t payload) const {
    if (fits(payload)) return 0;
    return std::max<std::uint64_t>(options_.segment_bytes, segment_header_bytes + record_bytes(payload));
}

void SegmentLog::begin_segment(std::size_t payload, bool essential) {
    const auto base = next_base_;
    const auto [kind, snapshot] = owner_.snapshot(base);
    const auto needed = segment_header_bytes + record_bytes(snapshot.size()) + record_bytes(payload);
    const auto size = std::max<std::uint64_t>(options_.segment_bytes, needed);
    segments_[base] = {size, base + segment_header_bytes, base};
    active_ = base;
    next_base_ = base + size;
    bytes_on_disk_ += size;
    begin_group(base, base);
    auto& group = *groups_.back();
    group.create_size = size;
    group.essential = essential;
    group.bytes.resize(segment_header_bytes);  // filled in when it is known how far the log is durable
    group.end = base + segment_header_bytes;
    put(kind, snapshot, Durability::memory);
}

void SegmentLog::begin_group(LogPosition base, LogPosition at) {
    if (!groups_.empty() && groups_.back()->strongest == Durability::disk) promised_end_ = groups_.back()->end;
    promised_end_ = std::max(promised_end_, durable_end_);
    auto group = std::make_shared<Group>();
    group->base = base;
    group->begin = group->end = at;
    groups_.push_back(std::move(group));
}

void SegmentLog::put(std::uint8_t kind, std::string_view payload, Durability durability) {
    auto& segment = segments_.at(*active_);
    const bool joins = !groups_.empty() && groups_.back()->base == *active_ && (groups_.size() > 1 || !writing_);
    if (!joins) begin_group(*active_, segment.end);
    auto& group = *groups_.back();
    const auto unsynced = segment.end - std::max(promised_end_, *active_);
    append_record(group.bytes, segment.end, kind, payload, static_cast<std::uint32_t>(unsynced));
    const auto size = record_bytes(payload.size());
    segment.end += size;
    group.end = segment.end;
    ++group.records;
    group.strongest = std::max(group.strongest, durability);
    group.hasty |= durability == Durability::os;
    staged_bytes_ += size;
}

Result<SegmentLog::Staged> SegmentLog::stage(std::uint8_t kind, std::string_view payload, bool essential,
                                             Durability durability) {
    if (closed_) return fail(Errc::closed, "the log is closed");
    if (payload.empty() || payload.size() > largest_record || kind == filler_kind)
        return fail(Errc::internal,
                    fmt::format("a record of kind {} and {} bytes can't be stored", kind, payload.size()));
    if (!fits(payload.size())) begin_segment(payload.size(), essential);
    const auto at = segments_.at(*active_).end;
    put(kind, payload, durability);
    if (work_is_due()) work_.notify();
    return Staged{at, groups_.back()};
}

Task<Result<>> SegmentLog::wait(Staged staged) {
    while (!staged.group->outcome) co_await progress_.wait();
    co_return *staged.group->outcome;
}

void SegmentLog::settle() {
    settle_before_ = std::max(written_end_, groups_.empty() ? 0 : groups_.back()->end);
    work_.notify();
}

bool SegmentLog::work_is_due() const {
    if (groups_.empty()) return false;
    const auto& first = *groups_.front();
    return first.strongest > Durability::memory || groups_.size() > 1 || first.begin < settle_before_ || closed_ ||
           first.bytes.size() >= worth_writing;
}

bool SegmentLog::sync_is_due() const {
    if (is_synced()) return false;
    const bool settling = durable_end_ < settle_before_ && settle_before_ <= written_end_;
    return (settling && wanted_of_written_ == Durability::os) || closed_ ||
           written_end_ - durable_end_ >= options_.staged_bytes;
}

Task<> SegmentLog::room() {
    const auto line = line_;
    if (has_room()) co_return;
    // Who gives up leaves the line; it may outlive the log.
    struct Place {
        Line& line;
        std::uint64_t number;
        explicit Place(Line& all) : line(all), number(all.next++) { line.waiting.push_back(number); }
        ~Place() {
            std::erase(line.waiting, number);
            line.moved.notify();
        }
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;
    };
    const Place place(*line);
    while (!closed_ && (line->waiting.front() != place.number || staged_bytes_ >= options_.staged_bytes))
        co_await line->moved.wait();
}

// Those whose records were stored just now stage their next ones in the turns that follow: a sync is worth waiting for
// them as long as more keep coming. A lone record waits for one turn of the loop.
Task<> SegmentLog::gather() {
    constexpr int most_turns = 64;
    for (int turn = 0; turn < most_turns; ++turn) {
        const auto before = staged_bytes_;
        co_await next_turn();
        if (staged_bytes_ == before) break;
    }
}

Task<> SegmentLog::write_groups() {
    for (;;) {
        co_await remove_files();
        if (sync_is_due())
            co_await sync_written();
        else if (work_is_due())
            co_await write_group();
        else if (removed_.empty())
            co_await work_.wait();
        progress_.notify();
        line_->moved.notify();
    }
}

Task<> SegmentLog::remove_files() {
    const auto bases = std::exchange(removed_, {});
    if (bases.empty()) co_return;
    co_await worker_.run_job([disk = disk_, &bases] {
        for (const auto base : bases) disk->remove(base);
    });
    scope_.spawn("removed segments", forget(bases));
}

Task<> SegmentLog::forget(std::vector<LogPosition> bases) {
    co_await reading_worker_.run_job([reader = reader_, bases = std::move(bases)] {
        for (const auto base : bases) reader->forget(base);
    });
}

Task<> SegmentLog::write_group() {
    co_await gather();
    const auto group = groups_.front();
    // Only of the last segment may anything be lost: what a new one says of those before it is simple.
    if (group->create_size > 0 && !is_synced()) {
        co_await sync_written();
        if (groups_.empty() || groups_.front() != group) co_return;
    }
    writing_ = true;
    if (group->create_size > 0)
        group->bytes.replace(0, segment_header_bytes, encode_header({group->base, durable_end_}));
    const auto offset = group->create_size > 0 ? 0 : group->begin - group->base;
    const bool sync = group->strongest == Durability::disk && !group->hasty;
    const GroupWrite write{
        group->base, offset, std::move(group->bytes), group->create_size, group->essential ? 0 : options_.reserve_bytes,
        sync};
    if (sync) owner_.sync_begins();
    const auto outcome = co_await worker_.run([disk = disk_, &write] { return disk->write(write); });
    writing_ = false;
    if (!outcome) {
        all_failed(outcome.error());
        co_return;
    }
    group_written(group);
    if (sync) {
        all_synced();
        co_return;
    }
    owner_.stored(written_end_, Durability::os);
    if (group->strongest == Durability::disk) co_await sync_written();
}

void SegmentLog::group_written(const std::shared_ptr<Group>& group) {
    groups_.pop_front();
    const auto from = group->create_size > 0 ? group->begin + segment_header_bytes : group->begin;
    staged_bytes_ -= static_cast<std::size_t>(group->end - from);
    wanted_of_written_ = std::max(wanted_of_written_, group->strongest);
    written_base_ = group->base;
    written_end_ = group->end;
    unsynced_records_ += group->records;
    unsynced_bytes_ += group->end - group->begin;
    if (group.use_count() > 1) awaited_.push_back(group);
}

Task<> SegmentLog::sync_written() {
    const auto base = written_base_;
    const auto end = written_end_;
    promised_end_ = end;  // if this fails, all that relies on it fails with it
    owner_.sync_begins();
    const auto outcome = co_await worker_.run([disk = disk_, base, end] { return disk->sync(base, end); });
    if (outcome)
        all_synced();
    else
        all_failed(outcome.error());
}

void SegmentLog::all_synced() {
    durable_end_ = written_end_;
    segments_.at(written_base_).durable_end = durable_end_;
    removable_before_ = written_base_;
    wanted_of_written_ = Durability::memory;
    owner_.synced(std::exchange(unsynced_records_, 0), std::exchange(unsynced_bytes_, 0));
    owner_.stored(durable_end_, Durability::disk);
    for (const auto& group : std::exchange(awaited_, {})) group->outcome.emplace();
}

// What waits behind the failed group has places in the segment that is given up: it fails with it.
void SegmentLog::all_failed(const Error& error) {
    for (const auto& group : std::exchange(groups_, {})) awaited_.push_back(group);
    for (auto at = segments_.end(); at != segments_.begin();) {
        auto& [base, segment] = *--at;
        if (segment.end == segment.durable_end) break;
        // What was written stays in the file, and comes back when the log is opened again.
        const auto end = std::max(segment.durable_end, base == written_base_ ? written_end_ : 0);
        bytes_on_disk_ -= segment.size - (end - base);
        segment.size = end - base;
        segment.end = segment.durable_end;
        if (segment.size == 0) at = segments_.erase(at);
    }
    active_.reset();
    staged_bytes_ = 0;
    unsynced_records_ = unsynced_bytes_ = 0;
    wanted_of_written_ = Durability::memory;
    written_end_ = promised_end_ = durable_end_;
    for (const auto& group : std::exchange(awaited_, {})) group->outcome = Result<>(fail(error));
    owner_.refused(durable_end_, error);
}

Task<Result<LogPosition>> SegmentLog::read(LogPosition from, std::size_t at_most, Visitor visit) {
    struct Reading {
        std::size_t& running;
        Signal& over;
        Reading(std::size_t& shared, Signal& signal) : running(shared), over(signal) { ++running; }
        ~Reading() {
            if (--running == 0) over.notify();
        }
        Reading(const Reading&) = delete;
        Reading& operator=(const Reading&) = delete;
    };
    for (;;) {
        while (replacing_) co_await progress_.wait();
        auto segment = segments_.upper_bound(from);
        if (segment != segments_.begin() && from < std::prev(segment)->second.durable_end) --segment;
        while (segment != segments_.end() && segment->second.durable_end == segment->first) ++segment;
        if (segment == segments_.end()) co_return std::max(from, durable_end_);
        const auto first = segment->first + segment_header_bytes;
        const ChunkRead chunk{segment->first, std::max(from, first), segment->second.durable_end, at_most,
                              segment->second.compact};
        const Reading reading(reads_, progress_);
        auto next =
            co_await reading_worker_.run([reader = reader_, &chunk, &visit] { return reader->read(chunk, visit); });
        // Nobody wanted anything of the segment any more, and it went before it could be opened: the next one, then.
        const bool went = !next && !segments_.contains(chunk.base);
        if (!went) co_return next;
    }
}

bool SegmentLog::removable(LogPosition base) const { return base < removable_before_; }

void SegmentLog::remove(std::vector<LogPosition> bases) {
    std::erase_if(bases, [&](LogPosition base) { return !removable(base) || !segments_.contains(base); });
    for (const auto base : bases) {
        bytes_on_disk_ -= segments_.at(base).size;
        segments_.erase(base);
        removed_.push_back(base);
    }
    if (!bases.empty()) work_.notify();
}

LogPosition SegmentLog::segment_of(LogPosition at) const {
    const auto behind = segments_.upper_bound(at);
    return behind == segments_.begin() ? 0 : std::prev(behind)->first;
}

LogPosition SegmentLog::end_of(LogPosition base) const {
    const auto found = segments_.find(base);
    return found == segments_.end() ? 0 : found->second.end;
}

std::uint64_t SegmentLog::size_of(LogPosition base) const {
    const auto found = segments_.find(base);
    return found == segments_.end() ? 0 : found->second.size;
}

std::vector<LogPosition> SegmentLog::segments() const {
    std::vector<LogPosition> bases;
    for (const auto& [base, segment] : segments_) bases.push_back(base);
    return bases;
}

Task<> SegmentLog::close() {
    if (closed_) co_return;
    closed_ = true;
    line_->moved.notify();
    work_.notify();
    while (!groups_.empty() || !is_synced() || !removed_.empty() || reads_ > 0) co_await progress_.wait();
    co_await scope_.close();
    if (active_) {
        const auto end = segments_.at(*active_).durable_end;
        co_await worker_.run_job([disk = disk_, base = *active_, end] { disk->shrink(base, end); });
    }
    co_await worker_.run_job([disk = disk_] { disk->close_files(); });
    co_await reading_worker_.run_job([reader = reader_] { reader->close(); });
}

}  // namespace skerry::storage
