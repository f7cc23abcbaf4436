#include "storage/segment_reader.hpp"

#include "base/log.hpp"
#include "storage/segment_compact.hpp"

#include <algorithm>

namespace skerry::storage {

namespace {
constexpr std::size_t kept_open = 4;
constexpr std::size_t most_hints = 16;
}  // namespace

Result<File*> SegmentReader::open(LogPosition base) {
    const auto found = std::ranges::find(open_, base, &Open::base);
    if (found != open_.end()) {
        std::rotate(found, found + 1, open_.end());
        return open_.back().file.get();
    }
    auto file = files_.open(folder_ / segment_name(base, ".seg"), Files::Mode::read);
    if (!file) return fail(file.error());
    if (open_.size() >= kept_open) open_.erase(open_.begin());
    open_.push_back({base, std::move(*file)});
    return open_.back().file.get();
}

void SegmentReader::forget(LogPosition base) {
    std::erase_if(open_, [&](const Open& each) { return each.base == base; });
    std::erase_if(hints_, [&](const Hint& hint) { return hint.base == base; });
}

void SegmentReader::close() {
    open_.clear();
    hints_.clear();
}

void SegmentReader::tell_damage(const ChunkRead& chunk, std::uint64_t offset, std::uint64_t bytes) const {
    log::error("'{}' is damaged at {}: {} bytes can't be read and are skipped",
               (folder_ / segment_name(chunk.base, ".seg")).native(), offset, bytes);
}

namespace {
// Visits the records at the front of `bytes`; returns where it stopped, at a place that is none or not whole.
LogPosition visit_front(std::string_view bytes, LogPosition from, const SegmentReader::Visitor& visit) {
    auto at = from;
    while (const auto record = decode_record(bytes.substr(at - from), at)) {
        if (record->kind != filler_kind) visit(*record);
        at = record->next;
    }
    return at;
}
}  // namespace

Result<LogPosition> SegmentReader::read(const ChunkRead& chunk, const Visitor& visit) {
    const auto file = open(chunk.base);
    if (!file) return fail(file.error());
    return chunk.compact ? read_compact(**file, chunk, visit) : read_plain(**file, chunk, visit);
}

Result<LogPosition> SegmentReader::read_plain(File& file, const ChunkRead& chunk, const Visitor& visit) {
    const auto left = static_cast<std::size_t>(chunk.end - chunk.from);
    std::string bytes;
    const auto wanted = std::min(left, std::max(chunk.at_most, record_header_bytes));
    if (auto got = file.read_at(chunk.from - chunk.base, wanted, bytes); !got) return fail(got.error());
    auto stopped = visit_front(bytes, chunk.from, visit);
    if (stopped > chunk.from) return stopped;
    if (const auto claimed = claimed_bytes(bytes); claimed && *claimed > bytes.size() && *claimed <= left) {
        // The first record is larger than a chunk.
        if (auto got = file.read_at(chunk.from - chunk.base, *claimed, bytes); !got) return fail(got.error());
        stopped = visit_front(bytes, chunk.from, visit);
        if (stopped > chunk.from) return stopped;
    }
    // It is damaged: the rest of the segment tells where the next one is.
    if (auto got = file.read_at(chunk.from - chunk.base, left, bytes); !got) return fail(got.error());
    std::size_t effort = 64 * bytes.size();
    const auto found = find_record(bytes, chunk.from, effort);
    tell_damage(chunk, chunk.from - chunk.base, (found ? found->at : chunk.end) - chunk.from);
    return found ? found->at : chunk.end;
}

Result<LogPosition> SegmentReader::read_compact(File& file, const ChunkRead& chunk, const Visitor& visit) {
    const auto size = file.size();
    if (!size) return fail(size.error());
    const auto hint = std::ranges::find_if(
        hints_, [&](const Hint& each) { return each.base == chunk.base && each.from == chunk.from; });
    std::uint64_t offset = hint == hints_.end() ? segment_header_bytes : hint->offset;
    if (hint != hints_.end()) hints_.erase(hint);
    auto place = offset == segment_header_bytes ? chunk.base : chunk.from;  // what comes next is there or behind
    bool visited = false;
    std::string bytes;
    for (auto wanted = std::max<std::size_t>(chunk.at_most, record_header_bytes); offset < *size && !visited;) {
        if (auto got = file.read_at(offset, wanted, bytes); !got) return fail(got.error());
        std::size_t used = 0;
        auto found = decode_placed(bytes, place, chunk.end);
        if (!found && offset + bytes.size() < *size && wanted < *size) {
            // Larger than a chunk, or damaged: then the rest tells.
            const auto claimed = bytes.size() > place_bytes
                                     ? claimed_bytes(std::string_view(bytes).substr(place_bytes)).value_or(0)
                                     : std::size_t{0};
            wanted = place_bytes + claimed > wanted ? place_bytes + claimed : static_cast<std::size_t>(*size);
            continue;
        }
        auto effort = 64 * bytes.size();
        if (!found && (found = find_placed(bytes, place, chunk.end, effort))) tell_damage(chunk, offset, found->offset);
        if (!found) break;
        for (used = found->offset; found;
             found = decode_placed(std::string_view(bytes).substr(used), place, chunk.end)) {
            used += found->end() - found->offset;
            place = found->behind();
            if (found->record.at < chunk.from || found->record.kind == filler_kind) continue;
            visit(found->record);
            visited = true;
        }
        offset += used;
        wanted = std::max<std::size_t>(chunk.at_most, record_header_bytes);
    }
    if (offset >= *size || !visited) return chunk.end;
    if (hints_.size() >= most_hints) hints_.erase(hints_.begin());
    hints_.push_back({chunk.base, place, offset});
    return place;
}

}  // namespace skerry::storage
