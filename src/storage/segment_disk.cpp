#include "storage/segment_disk.hpp"

#include "base/log.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::storage {

namespace fs = std::filesystem;

fs::path SegmentDisk::path_of(LogPosition base, std::string_view suffix) const {
    return folder_ / segment_name(base, suffix);
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
    active_ = Active{group.base, std::move(*file), true};
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

void SegmentDisk::remove(LogPosition base) {
    copied_.forget(base);
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
    copied_.close();
}

}  // namespace skerry::storage
