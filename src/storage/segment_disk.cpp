#include "storage/segment_disk.hpp"

#include "base/log.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::storage {

namespace fs = std::filesystem;

namespace {
constexpr std::size_t kept_readers = 4;
}

fs::path SegmentDisk::path_of(LogPosition base, std::string_view suffix) const {
    return folder_ / fmt::format("{:016x}{}", base, suffix);
}

Result<> SegmentDisk::create(const GroupWrite& group) {
    if (group.reserve > 0) {
        const auto space = files_.space(folder_);
        if (!space) return fail(space.error());
        if (space->available < group.create_size + group.reserve)
            return fail(Errc::full,
                        fmt::format("'{}': {} bytes are free on the disk, and {} of them are kept as a reserve",
                                    folder_.native(), space->available, group.reserve));
    }
    const auto path = path_of(group.base);
    auto file = files_.open(path, Files::Mode::create);
    if (!file) return fail(file.error());
    active_ = Open{group.base, std::move(*file), true};
    return active_->file->allocate(group.create_size);
}

Result<> SegmentDisk::write_and_sync(const GroupWrite& group) {
    const bool creates = group.create_size > 0;
    if (creates) {
        if (auto created = create(group); !created) return created;
    }
    if (!active_ || active_->base != group.base)
        return fail(Errc::internal, fmt::format("'{}' is not the segment being written", path_of(group.base).native()));
    if (auto written = active_->file->write_at(group.offset, group.bytes); !written) return written;
    return group.sync ? sync_active() : Result<>{};
}

Result<> SegmentDisk::sync_active() {
    if (auto synced = active_->file->sync_data(); !synced) return synced;
    if (!active_->nameless) return {};
    if (auto synced = files_.sync_folder(folder_); !synced) return synced;
    active_->nameless = false;
    return {};
}

Result<> SegmentDisk::sync(LogPosition base, LogPosition end) {
    if (!active_ || active_->base != base)
        return fail(Errc::internal, fmt::format("'{}' is not the segment being written", path_of(base).native()));
    auto done = sync_active();
    if (done) return done;
    // What publishers were told is written stays: it may be readable when the process ends now.
    (void)active_->file->truncate(end - base);
    active_.reset();
    return done;
}

Result<> SegmentDisk::write(const GroupWrite& group) {
    const bool creates = group.create_size > 0;
    auto done = write_and_sync(group);
    if (done) return done;
    // Nobody is told that these bytes are stored: they should not come back at the next start either. When the disk
    // refuses that as well, they come back as messages that were never acknowledged, which is allowed.
    const bool ours = active_ && active_->base == group.base;
    if (ours && !creates) (void)active_->file->truncate(group.offset);
    active_.reset();
    if (ours && creates) (void)files_.remove(path_of(group.base));
    return done;
}

Result<File*> SegmentDisk::open_for_reading(LogPosition base) {
    if (active_ && active_->base == base) return active_->file.get();
    const auto found = std::ranges::find(readers_, base, &Open::base);
    if (found != readers_.end()) {
        std::rotate(found, found + 1, readers_.end());
        return readers_.back().file.get();
    }
    auto file = files_.open(path_of(base), Files::Mode::read);
    if (!file) return fail(file.error());
    if (readers_.size() >= kept_readers) readers_.erase(readers_.begin());
    readers_.push_back({base, std::move(*file), false});
    return readers_.back().file.get();
}

namespace {
// Visits the records at the front of `bytes`; returns where it stopped, at a place that is none or not whole.
LogPosition visit_front(std::string_view bytes, LogPosition from, const SegmentDisk::Visitor& visit) {
    auto at = from;
    while (const auto record = decode_record(bytes.substr(at - from), at)) {
        if (record->kind != filler_kind) visit(*record);
        at = record->next;
    }
    return at;
}
}  // namespace

Result<LogPosition> SegmentDisk::read(const ChunkRead& chunk, const Visitor& visit) {
    const auto file = open_for_reading(chunk.base);
    if (!file) return fail(file.error());
    if (chunk.compact) return read_compact(**file, chunk, visit);
    const auto left = static_cast<std::size_t>(chunk.end - chunk.from);
    std::string bytes;
    const auto wanted = std::min(left, std::max(chunk.at_most, record_header_bytes));
    if (auto got = (*file)->read_at(chunk.from - chunk.base, wanted, bytes); !got) return fail(got.error());
    auto stopped = visit_front(bytes, chunk.from, visit);
    if (stopped > chunk.from) return stopped;
    if (const auto claimed = claimed_bytes(bytes); claimed && *claimed > bytes.size() && *claimed <= left) {
        // The first record is larger than a chunk.
        if (auto got = (*file)->read_at(chunk.from - chunk.base, *claimed, bytes); !got) return fail(got.error());
        stopped = visit_front(bytes, chunk.from, visit);
        if (stopped > chunk.from) return stopped;
    }
    // It is damaged: the rest of the segment tells where the next one is.
    if (auto got = (*file)->read_at(chunk.from - chunk.base, left, bytes); !got) return fail(got.error());
    std::size_t effort = 64 * bytes.size();
    const auto found = find_record(bytes, chunk.from, effort);
    log::error("'{}' is damaged at {}: {} bytes can't be read and are skipped", path_of(chunk.base).native(),
               chunk.from - chunk.base, (found ? found->at : chunk.end) - chunk.from);
    return found ? found->at : chunk.end;
}

void SegmentDisk::remove(LogPosition base) {
    std::erase_if(readers_, [&](const Open& open) { return open.base == base; });
    std::erase_if(hints_, [&](const Hint& hint) { return hint.base == base; });
    if (active_ && active_->base == base) active_.reset();
    if (const auto removed = files_.remove(path_of(base)); !removed) log::warn("{}", removed.error().text);
}

void SegmentDisk::shrink(LogPosition base, LogPosition end) {
    auto file = files_.open(path_of(base), Files::Mode::read_write);
    if (!file) return;
    const auto size = (*file)->size();
    if (size && *size > end - base) (void)(*file)->truncate(end - base);
}

void SegmentDisk::close_files() {
    active_.reset();
    readers_.clear();
}

}  // namespace skerry::storage
