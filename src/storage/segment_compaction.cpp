// Segments of which little is wanted any more become one compact segment that holds just that.
//
// Order of what is made durable: the new file under a name of its own; its name in place of the first old one; the
// removal of the others. A crash before the second step leaves a file that is thrown away, one behind it old segments
// that the new one's header covers: both are cleared away when the log is opened.
#include "storage/segment_compact.hpp"
#include "storage/segment_disk.hpp"
#include "storage/segment_log.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <utility>

namespace skerry::storage {

namespace {
constexpr std::size_t copied_at_once = 256 * 1024;
}  // namespace

// --- on the worker

Result<> SegmentDisk::begin_compact(const Compaction& compaction) {
    const auto base = compaction.bases.front();
    const auto path = path_of(base, ".tmp");
    if (files_.exists(path))
        if (auto removed = files_.remove(path); !removed) return removed;
    auto file = files_.open(path, Files::Mode::create);
    if (!file) return fail(file.error());
    compacting_ = Compacting{std::move(*file), segment_header_bytes};
    std::string first;
    append_placed(first, {base + segment_header_bytes, compaction.first_kind, compaction.first, 0, 0});
    if (auto written = compacting_->file->write_at(compacting_->bytes, first); !written) return written;
    compacting_->bytes += first.size();
    return {};
}

Result<LogPosition> SegmentDisk::copy_kept(const ChunkRead& chunk, const Compaction& compaction) {
    std::string bytes;
    auto keep = std::ranges::lower_bound(compaction.keep, chunk.from);
    auto next = copied_.read(chunk, [&](const LogRecord& record) {
        while (keep != compaction.keep.end() && *keep < record.at) ++keep;
        if (keep != compaction.keep.end() && *keep == record.at) append_placed(bytes, record);
    });
    if (!next || bytes.empty()) return next;
    if (auto written = compacting_->file->write_at(compacting_->bytes, bytes); !written) return fail(written.error());
    compacting_->bytes += bytes.size();
    return next;
}

Result<std::uint64_t> SegmentDisk::finish_compact(SegmentHeader header) {
    header.compact_bytes = compacting_->bytes;
    if (auto written = compacting_->file->write_at(0, encode_header(header)); !written) return fail(written.error());
    if (auto synced = compacting_->file->sync_data(); !synced) return fail(synced.error());
    const auto bytes = compacting_->bytes;
    compacting_.reset();
    return bytes;
}

Result<> SegmentDisk::put_in_place(const Compaction& compaction) {
    const auto base = compaction.bases.front();
    for (const auto old : compaction.bases) copied_.forget(old);
    if (auto renamed = files_.rename(path_of(base, ".tmp"), path_of(base)); !renamed) return renamed;
    // From here on the new file is what readers get: an error may only delay what was to be removed.
    if (const auto synced = files_.sync_folder(folder_); !synced) {
        log::warn("{}", synced.error().text);
        return {};
    }
    for (const auto old : compaction.bases)
        if (old != base) remove(old);
    return {};
}

void SegmentDisk::abandon_compact(LogPosition base) {
    compacting_.reset();
    if (const auto path = path_of(base, ".tmp"); files_.exists(path)) (void)files_.remove(path);
}

// --- on the loop

Task<Result<>> SegmentLog::compact(Compaction compaction) {
    const auto made = co_await copy_compact(compaction);
    auto done = made ? co_await replace(compaction, *made) : Result<>(fail(made.error()));
    if (done) co_return done;
    co_await worker_.run_job([disk = disk_, base = compaction.bases.front()] { disk->abandon_compact(base); });
    co_return fail(done.error().while_doing("compacting the log"));
}

Task<Result<>> SegmentLog::replace(const Compaction& compaction, std::uint64_t bytes) {
    // Who reads meanwhile would look into the wrong file.
    struct Exclusive {
        bool& flag;
        Signal& over;
        Exclusive(bool& shared, Signal& signal) : flag(shared), over(signal) { flag = true; }
        ~Exclusive() {
            flag = false;
            over.notify();
        }
        Exclusive(const Exclusive&) = delete;
        Exclusive& operator=(const Exclusive&) = delete;
    };
    const Exclusive exclusive(replacing_, progress_);
    while (reads_ > 0) co_await progress_.wait();
    const auto placed = co_await worker_.run([disk = disk_, &compaction] { return disk->put_in_place(compaction); });
    if (!placed) co_return fail(placed.error());
    co_await forget(compaction.bases);
    const auto base = compaction.bases.front();
    const auto end = segments_.at(compaction.bases.back()).end;
    for (const auto old : compaction.bases) {
        bytes_on_disk_ -= segments_.at(old).size;
        segments_.erase(old);
    }
    segments_[base] = {bytes, end, end, true};
    bytes_on_disk_ += bytes;
    co_return Result<>{};
}

Task<Result<std::uint64_t>> SegmentLog::copy_compact(const Compaction& compaction) {
    for (const auto base : compaction.bases)
        if (!removable(base) || !segments_.contains(base))
            co_return fail(Errc::internal, "only full segments that are there can be compacted");
    const auto begun = co_await worker_.run([disk = disk_, &compaction] { return disk->begin_compact(compaction); });
    if (!begun) co_return fail(begun.error());
    for (const auto base : compaction.bases) {
        const auto segment = segments_.at(base);
        for (auto at = base + segment_header_bytes; at < segment.durable_end;) {
            const ChunkRead chunk{base, at, segment.durable_end, copied_at_once, segment.compact};
            const auto next = co_await worker_.run(
                [disk = disk_, &chunk, &compaction] { return disk->copy_kept(chunk, compaction); });
            if (!next) co_return fail(next.error());
            at = *next;
        }
    }
    // How far the log was durable when the first of them was begun: where the one before it ends.
    const auto first = segments_.find(compaction.bases.front());
    const auto before = first == segments_.begin() ? 0 : std::prev(first)->second.durable_end;
    const SegmentHeader header{first->first, before, segments_.at(compaction.bases.back()).end, 0};
    co_return co_await worker_.run([disk = disk_, &header] { return disk->finish_compact(header); });
}

}  // namespace skerry::storage
