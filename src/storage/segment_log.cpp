#include "storage/segment_log.hpp"

#include "base/log.hpp"
#include "storage/segment_disk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace skerry::storage {

// Records that become durable together: one write and one sync in one segment.
struct SegmentLog::Group {
    Group(Executor executor, LogPosition first) : begin(first), end(first), done(std::move(executor)) {}
    LogPosition begin;
    LogPosition end;
    LogPosition base{0};
    std::uint64_t create_size{0};
    bool essential{false};
    std::string bytes;
    Result<> outcome;
    Event done;
};

SegmentLog::SegmentLog(std::shared_ptr<SegmentDisk> disk, Worker& worker, Executor executor, SegmentLogOptions options,
                       Owner& owner)
    : disk_(std::move(disk)),
      worker_(worker),
      executor_(executor),
      options_(options),
      owner_(owner),
      work_(executor),
      progress_(executor),
      line_(std::make_shared<Line>(executor)),
      scope_(executor) {}

SegmentLog::~SegmentLog() = default;

Task<Result<std::unique_ptr<SegmentLog>>> SegmentLog::open(Files& files, std::filesystem::path folder, Worker& worker,
                                                           Executor executor, SegmentLogOptions options, Owner& owner,
                                                           LogReader& reader) {
    options.segment_bytes =
        std::clamp<std::uint64_t>(options.segment_bytes, 4096, 64 * 1024 * 1024) & ~std::uint64_t{7};
    const auto disk = std::make_shared<SegmentDisk>(files, std::move(folder));
    auto segments = co_await worker.run([&] { return disk->recover(reader); });
    if (!segments) co_return fail(segments.error().while_doing("opening the log"));
    std::unique_ptr<SegmentLog> log(new SegmentLog(disk, worker, executor, options, owner));
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
    log->next_base_ = disk->next_base();
    log->staged_end_ = log->durable_end_;
    log->scope_.spawn("segment log", log->write_groups());
    co_return log;
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
    auto group = std::make_shared<Group>(executor_, base);
    group->base = base;
    group->create_size = size;
    group->essential = essential;
    group->bytes.resize(segment_header_bytes);  // filled in when it is known how far the log is durable
    group->end = base + segment_header_bytes;
    groups_.push_back(std::move(group));
    put(kind, snapshot);
}

void SegmentLog::put(std::uint8_t kind, std::string_view payload) {
    auto& segment = segments_.at(*active_);
    const bool joins = !groups_.empty() && groups_.back()->base == *active_ && (groups_.size() > 1 || !writing_);
    if (!joins) {
        groups_.push_back(std::make_shared<Group>(executor_, segment.end));
        groups_.back()->base = *active_;
    }
    auto& group = *groups_.back();
    append_record(group.bytes, segment.end, kind, payload, static_cast<std::uint32_t>(segment.end - group.begin));
    const auto size = record_bytes(payload.size());
    segment.end += size;
    group.end = segment.end;
    staged_end_ = segment.end;
    staged_bytes_ += size;
}

Result<SegmentLog::Staged> SegmentLog::stage(std::uint8_t kind, std::string_view payload, bool essential) {
    if (closed_) return fail(Errc::closed, "the log is closed");
    if (payload.empty() || payload.size() > largest_record || kind == filler_kind)
        return fail(Errc::internal,
                    fmt::format("a record of kind {} and {} bytes can't be stored", kind, payload.size()));
    if (!fits(payload.size())) begin_segment(payload.size(), essential);
    const auto at = segments_.at(*active_).end;
    put(kind, payload);
    work_.notify();
    return Staged{at, groups_.back()};
}

Task<Result<>> SegmentLog::wait(Staged staged) {
    co_await staged.group->done.wait();
    co_return staged.group->outcome;
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
        while (groups_.empty()) co_await work_.wait();
        co_await gather();
        const auto group = groups_.front();
        writing_ = true;
        if (group->create_size > 0)
            group->bytes.replace(0, segment_header_bytes, encode_header({group->base, durable_end_}));
        const auto offset = group->create_size > 0 ? 0 : group->begin - group->base;
        const GroupWrite write{group->base, offset, std::move(group->bytes), group->create_size,
                               group->essential ? 0 : options_.reserve_bytes};
        const auto outcome = co_await worker_.run([disk = disk_, &write] { return disk->write(write); });
        writing_ = false;
        if (outcome)
            group_stored(*group);
        else
            group_failed(outcome.error());
        progress_.notify();
        line_->moved.notify();
    }
}

void SegmentLog::group_stored(Group& group) {
    groups_.pop_front();
    const auto from = group.create_size > 0 ? group.begin + segment_header_bytes : group.begin;
    staged_bytes_ -= static_cast<std::size_t>(group.end - from);
    durable_end_ = group.end;
    segments_.at(group.base).durable_end = group.end;
    removable_before_ = group.base;
    owner_.written(group.begin, group.end, {});
    group.done.set();
}

// What waits behind the failed group has places in the segment that is given up: it fails with it.
void SegmentLog::group_failed(const Error& error) {
    const auto failed = std::exchange(groups_, {});
    for (const auto& group : failed) {
        const auto found = segments_.find(group->base);
        if (found == segments_.end()) continue;
        auto& segment = found->second;
        const auto kept = segment.durable_end - group->base;
        bytes_on_disk_ -= segment.size - kept;
        segment.size = kept;
        segment.end = segment.durable_end;
        if (kept == 0) segments_.erase(found);
    }
    active_.reset();
    staged_bytes_ = 0;
    const auto begin = failed.front()->begin;
    const auto end = staged_end_;
    staged_end_ = durable_end_;
    owner_.written(begin, end, fail(error));
    for (const auto& group : failed) {
        group->outcome = fail(error);
        group->done.set();
    }
}

Task<Result<LogPosition>> SegmentLog::read(LogPosition from, std::size_t at_most, Visitor visit) {
    while (replacing_) co_await progress_.wait();
    auto segment = segments_.upper_bound(from);
    if (segment != segments_.begin() && from < std::prev(segment)->second.durable_end) --segment;
    if (segment == segments_.end() || segment->second.durable_end == segment->first)
        co_return std::max(from, durable_end_);
    const auto first = segment->first + segment_header_bytes;
    const ChunkRead chunk{segment->first, std::max(from, first), segment->second.durable_end, at_most,
                          segment->second.compact};
    co_return co_await worker_.run([disk = disk_, &chunk, &visit] { return disk->read(chunk, visit); });
}

bool SegmentLog::removable(LogPosition base) const { return base < removable_before_; }

Task<> SegmentLog::remove(std::vector<LogPosition> bases) {
    std::erase_if(bases, [&](LogPosition base) { return !removable(base) || !segments_.contains(base); });
    for (const auto base : bases) {
        bytes_on_disk_ -= segments_.at(base).size;
        segments_.erase(base);
    }
    if (bases.empty()) co_return;
    co_await worker_.run_job([disk = disk_, &bases] {
        for (const auto base : bases) disk->remove(base);
    });
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
    while (!groups_.empty()) co_await progress_.wait();
    co_await scope_.close();
    if (active_) {
        const auto end = segments_.at(*active_).durable_end;
        co_await worker_.run_job([disk = disk_, base = *active_, end] { disk->shrink(base, end); });
    }
    co_await worker_.run_job([disk = disk_] { disk->close_files(); });
}

}  // namespace skerry::storage
