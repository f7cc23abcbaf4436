// Opening a log after a crash or a rotting disk: torn tails are cut, damage is quarantined, neither is fatal.
#include "storage/segment_disk.hpp"

#include "base/log.hpp"
#include "storage/segment_compact.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::storage {

namespace fs = std::filesystem;

namespace {
constexpr std::size_t kept_originals = 8;

// What the disk can't read comes as zeros: one bad sector must not cost the rest.
Result<std::string> read_segment(Files& files, const fs::path& path, std::size_t at_most) {
    auto file = files.open(path, Files::Mode::read);
    if (!file) return fail(file.error());
    const auto size = (*file)->size();
    if (!size) return fail(size.error());
    if (*size > largest_segment_file)
        return fail(Errc::malformed, fmt::format("'{}' is too large for a segment", path.native()));
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(*size, at_most));
    std::string bytes;
    if (auto got = (*file)->read_at(0, wanted, bytes)) return bytes;
    constexpr std::size_t sector = 4096;
    std::string all;
    while (all.size() < wanted) {
        const auto count = std::min(sector, wanted - all.size());
        auto got = (*file)->read_at(all.size(), count, bytes);
        if (!got) log::error("{}", got.error().text);
        bytes.resize(count);
        all += got ? bytes : std::string(count, '\0');
    }
    return all;
}

}  // namespace

// Also finishes, or forgets, a repair that a crash interrupted.
Result<std::vector<LogPosition>> SegmentDisk::list_segments() {
    auto names = files_.list(folder_);
    if (!names) return fail(names.error());
    std::vector<LogPosition> bases;
    for (const auto& name : *names) {
        if (const auto base = parse_segment_name(name, ".seg")) bases.push_back(*base);
        if (const auto base = parse_segment_name(name, ".tmp")) {
            const bool finish = !files_.exists(path_of(*base));
            auto done = finish ? files_.rename(folder_ / name, path_of(*base)) : files_.remove(folder_ / name);
            if (!done) return fail(done.error());
            if (finish) bases.push_back(*base);
        }
    }
    std::ranges::sort(bases);
    return bases;
}

Result<> SegmentDisk::move_aside(LogPosition base) {
    auto aside = path_of(base, ".bad");
    for (int n = 2; files_.exists(aside); ++n) aside = path_of(base, fmt::format(".bad{}", n));
    return files_.rename(path_of(base), aside);
}

Result<> SegmentDisk::quarantine(LogPosition base, std::string_view repaired) {
    const auto beside = path_of(base, ".tmp");
    auto file = files_.open(beside, Files::Mode::create);
    if (!file) return fail(file.error());
    if (auto done = (*file)->write_at(0, repaired); !done) return done;
    if (auto done = (*file)->sync_data(); !done) return done;
    if (auto done = files_.sync_folder(folder_); !done) return done;
    if (auto done = move_aside(base); !done) return done;
    if (auto done = files_.rename(beside, path_of(base)); !done) return done;
    return files_.sync_folder(folder_);
}

void SegmentDisk::limit_quarantine() {
    const auto names = files_.list(folder_);
    if (!names) return;
    std::vector<std::string> originals;
    for (const auto& name : *names)
        if (name.find(".bad") == 16) originals.push_back(name);
    for (std::size_t n = 0; n + kept_originals < originals.size(); ++n) (void)files_.remove(folder_ / originals[n]);
}

Result<std::optional<RecoveredSegment>> SegmentDisk::recover_one(LogPosition base, LogPosition durable, bool last,
                                                                 LogReader& reader) {
    const auto path = path_of(base);
    const auto bytes = read_segment(files_, path, largest_segment_file);
    if (!bytes && bytes.error().code != Errc::malformed) return fail(bytes.error());
    if (!bytes) {
        log::error("{}; it is kept as .bad.", bytes.error().text);
        if (auto moved = move_aside(base); !moved) return fail(moved.error());
        return std::optional<RecoveredSegment>();
    }
    const auto header = decode_header(*bytes);
    if (!header && header.error().code == Errc::unsupported) return fail(header.error().while_doing(path.native()));
    next_base_ = std::max(next_base_, (base + bytes->size() + 7) & ~LogPosition{7});
    const bool header_valid = header && header->base == base;
    const auto check = check_any_segment(*bytes, base, header, durable);
    next_base_ = std::max(next_base_, check.end);

    RecoveredSegment found{base,         check.end, bytes->size(), check.records, check.torn, !check.damage.empty(),
                           check.compact};
    if (check.end <= base + segment_header_bytes) {
        // The last one was being created: nothing in it was ever acknowledged.
        const bool keep = check.torn && !last;
        if (keep) log::error("The segment '{}' holds nothing readable; it is kept as .bad.", path.native());
        auto gone = keep ? move_aside(base) : files_.remove(path);
        if (!gone) return fail(gone.error());
        return std::optional<RecoveredSegment>();
    }
    if (found.quarantined) {
        std::uint64_t lost = 0;
        for (const auto& hole : check.damage) lost += hole.end - hole.begin;
        log::error(
            "The segment '{}' is damaged in {} places: {} bytes are lost, {} records are kept. The original is kept as "
            ".bad.",
            path.native(), check.damage.size(), lost, check.records);
        const auto repaired = check.compact
                                  ? repair_compact(*bytes, base, check, header_valid ? header->durable_before : 0)
                                  : repair_segment(*bytes, base, check, header_valid ? header->durable_before : base);
        if (auto done = quarantine(base, repaired); !done) return fail(done.error());
        found.size = repaired.size();
    } else if (!check.compact && base + bytes->size() > check.end) {
        if (check.torn)
            log::info("The segment '{}' ends in a torn write; it is cut at {}.", path.native(), check.end - base);
        shrink(base, check.end);
        found.size = check.end - base;
    }
    for_each_of_any(*bytes, base, check, [&](const LogRecord& record) { reader.visit(base, record); });
    return std::optional(found);
}

// The header and the first record; whatever is wrong with them is found again, and told, when the segment is read.
SegmentDisk::Head SegmentDisk::read_head(LogPosition base, LogReader& reader) {
    constexpr std::size_t usual = 16 * 1024;
    Head head{base, {}, false, 0};
    const auto path = path_of(base);
    const auto file = files_.open(path, Files::Mode::read);
    if (!file) return head;
    head.size = (*file)->size().value_or(0);
    std::string bytes;
    if (!(*file)->read_at(0, usual, bytes)) return head;
    const auto header = decode_header(bytes);
    if (!header || header->base != base) return head;
    head.header = *header;
    const auto begin = segment_header_bytes + (header->compact_end > 0 ? place_bytes : 0);
    if (bytes.size() < begin) return head;
    const auto wanted = begin + claimed_bytes(std::string_view(bytes).substr(begin)).value_or(0);
    if (wanted > bytes.size() && wanted <= head.size && !(*file)->read_at(0, wanted, bytes)) return head;
    const auto first = decode_record(std::string_view(bytes).substr(begin), base + segment_header_bytes);
    head.first_readable = first.has_value();
    if (first) reader.first(*first);
    return head;
}

// A full segment that was durable, and of which a later one tells: damage in it is found when it is read.
std::optional<RecoveredSegment> SegmentDisk::trust(const Head& head, LogPosition durable, LogReader& reader) {
    if (!head.header || !head.first_readable) return std::nullopt;
    const auto end = reader.known_end(head.base);
    const bool compact = head.header->compact_end > 0;
    if (!end || *end <= head.base) return std::nullopt;
    if (compact ? *end != head.header->compact_end || head.size < head.header->compact_bytes
                : *end > durable || *end - head.base > head.size)
        return std::nullopt;
    next_base_ = std::max({next_base_, *end, (head.base + head.size + 7) & ~LogPosition{7}});
    reader.skipped(head.base);
    return RecoveredSegment{head.base, *end, head.size, 0, false, false, compact};
}

Result<> SegmentDisk::sync_recovered(const std::vector<LogPosition>& read) {
    for (const auto base : read) {
        const auto file = files_.open(path_of(base), Files::Mode::read);
        if (!file) return fail(file.error());
        if (auto synced = (*file)->sync_data(); !synced) return synced;
    }
    return read.empty() ? Result<>{} : files_.sync_folder(folder_);
}

// What a compact segment stands for is still there when the power was cut before it could be removed: it goes now.
Result<std::vector<SegmentDisk::Head>> SegmentDisk::read_heads(LogReader& reader) {
    const auto bases = list_segments();
    if (!bases) return fail(bases.error());
    std::vector<Head> heads;
    LogPosition replaced_to = 0;
    for (const auto base : *bases) {
        if (base < replaced_to) {
            if (auto gone = files_.remove(path_of(base)); !gone) return fail(gone.error());
            continue;
        }
        heads.push_back(read_head(base, reader));
        if (const auto& header = heads.back().header) replaced_to = std::max(replaced_to, header->compact_end);
    }
    return heads;
}

Result<std::vector<RecoveredSegment>> SegmentDisk::recover(LogReader& reader) {
    const auto heads = read_heads(reader);
    if (!heads) return fail(heads.error());
    std::vector<RecoveredSegment> segments;
    std::vector<LogPosition> read;
    for (std::size_t n = 0; n < heads->size(); ++n) {
        const auto base = (*heads)[n].base;
        const bool last = n + 1 == heads->size();
        // How far the segment behind says that this one was durable; 0 when it says nothing about it.
        const auto behind = last ? std::nullopt : (*heads)[n + 1].header;
        const auto durable = behind && behind->durable_before > base ? behind->durable_before : 0;
        if (auto trusted = trust((*heads)[n], durable, reader)) {
            segments.push_back(*trusted);
            continue;
        }
        auto found = recover_one(base, durable, last, reader);
        if (!found) return fail(found.error());
        if (!*found) continue;
        segments.push_back(**found);
        read.push_back(base);
    }
    if (auto synced = sync_recovered(read); !synced) return fail(synced.error());
    limit_quarantine();
    return segments;
}

}  // namespace skerry::storage
