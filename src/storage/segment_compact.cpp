#include "storage/segment_compact.hpp"

#include "base/encoding.hpp"

#include <algorithm>
#include <limits>

namespace skerry::storage {

void append_placed(std::string& out, const LogRecord& record) {
    put_le(out, record.at);
    append_record(out, record.at, record.kind, record.payload, record.unsynced);
}

std::optional<PlacedRecord> decode_placed(std::string_view bytes, LogPosition from, LogPosition end) {
    if (bytes.size() < place_bytes) return std::nullopt;
    const auto at = get_le<LogPosition>(bytes, 0);
    if (at < from || at >= end || at % 8 != 0) return std::nullopt;
    const auto record = decode_record(bytes.substr(place_bytes), at);
    return record ? std::optional(PlacedRecord{*record, 0}) : std::nullopt;
}

std::optional<PlacedRecord> find_placed(std::string_view bytes, LogPosition from, LogPosition end,
                                        std::size_t& effort) {
    for (std::size_t skip = 8; skip + place_bytes + record_header_bytes <= bytes.size(); skip += 8) {
        const auto rest = bytes.substr(skip);
        const auto at = get_le<LogPosition>(rest, 0);
        const auto size = claimed_bytes(rest.substr(place_bytes));
        if (at < from || at >= end || at % 8 != 0 || !size || *size > rest.size() - place_bytes) continue;
        if (*size > effort) return std::nullopt;
        effort -= *size;
        if (auto found = decode_placed(rest, from, end)) {
            found->offset = skip;
            return found;
        }
    }
    return std::nullopt;
}

namespace {
// `end` is where the segment's places end; what is behind `expected` bytes of the file was never part of it.
SegmentCheck check_compact(std::string_view bytes, LogPosition base, LogPosition end, std::uint64_t expected) {
    SegmentCheck check;
    check.compact = true;
    check.end = base;
    bytes = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), expected)));
    auto from = base + segment_header_bytes;
    auto effort = 64 * bytes.size();
    auto offset = std::min(bytes.size(), segment_header_bytes);
    while (offset < bytes.size()) {
        auto found = decode_placed(bytes.substr(offset), from, end);
        if (!found) found = find_placed(bytes.substr(offset), from, end, effort);
        if (!found) break;
        if (found->offset > 0) check.damage.push_back({base + offset, base + offset + found->offset});
        offset += found->end();
        from = found->behind();
        ++check.records;
    }
    if (offset < expected) check.damage.push_back({base + offset, base + expected});
    check.used = offset;
    check.torn = check.records == 0;  // nothing of it can be kept
    if (check.records > 0) check.end = end == std::numeric_limits<LogPosition>::max() ? from : end;
    return check;
}
}  // namespace

SegmentCheck check_any_segment(std::string_view bytes, LogPosition base, const Result<SegmentHeader>& header,
                               LogPosition durable) {
    const bool valid = header && header->base == base;
    if (valid && header->compact_end > 0) return check_compact(bytes, base, header->compact_end, header->compact_bytes);
    auto check = check_segment(bytes, base, valid, durable);
    if (valid || check.records > 0) return check;
    // No header and no record of a dense segment: a compact one that lost its header?
    auto compact = check_compact(bytes, base, std::numeric_limits<LogPosition>::max(), bytes.size());
    if (compact.records == 0) return check;
    compact.damage.insert(compact.damage.begin(), {base, base + segment_header_bytes});
    return compact;
}

void for_each_of_any(std::string_view bytes, LogPosition base, const SegmentCheck& check,
                     const std::function<void(const LogRecord&)>& visit) {
    if (!check.compact) return for_each_record(bytes, base, check, visit);
    auto hole = check.damage.begin();
    for (auto offset = segment_header_bytes; offset < check.used;) {
        while (hole != check.damage.end() && hole->end <= base + offset) ++hole;
        if (hole != check.damage.end() && hole->begin <= base + offset) {
            offset = hole->end - base;
            continue;
        }
        const auto found = decode_placed(bytes.substr(offset), 0, std::numeric_limits<LogPosition>::max());
        if (!found) return;
        if (found->record.kind != filler_kind) visit(found->record);
        offset += found->end();
    }
}

std::string repair_compact(std::string_view bytes, LogPosition base, const SegmentCheck& check,
                           LogPosition durable_before) {
    std::string out(segment_header_bytes, '\0');
    for_each_of_any(bytes, base, check, [&out](const LogRecord& record) { append_placed(out, record); });
    return out.replace(0, segment_header_bytes, encode_header({base, durable_before, check.end, out.size()}));
}

}  // namespace skerry::storage
