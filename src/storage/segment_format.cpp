#include "storage/segment_format.hpp"

#include "base/encoding.hpp"
#include "storage/crc32c.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace skerry::storage {

namespace {
constexpr std::string_view magic("SKRYSEG\0", 8);
constexpr std::uint16_t dense_version = 1;
constexpr std::uint16_t compact_version = 2;
constexpr std::size_t smallest_record = record_bytes(1);

std::uint32_t header_checksum(std::string_view header) {
    return crc32c(header.substr(16), crc32c(std::string_view("\0\0\0\0", 4), crc32c(header.substr(0, 12))));
}

// `covered` is the record's header behind the checksum, `payload` what follows it.
std::uint32_t record_checksum(LogPosition at, std::string_view covered, std::string_view payload) {
    std::string position;
    put_le(position, at);
    return crc32c(payload, crc32c(covered, crc32c(position)));
}
}  // namespace

std::string segment_name(LogPosition base, std::string_view suffix) { return fmt::format("{:016x}{}", base, suffix); }

std::optional<LogPosition> parse_segment_name(std::string_view name, std::string_view suffix) {
    constexpr std::size_t digits = 16;
    if (name.size() != digits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
    LogPosition base = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + digits, base, 16);
    if (error != std::errc() || end != name.data() + digits || base % 8 != 0) return std::nullopt;
    return base;
}

std::string encode_header(const SegmentHeader& header) {
    std::string out(magic);
    put_le(out, header.compact_end > 0 ? compact_version : dense_version);
    put_le(out, static_cast<std::uint16_t>(segment_header_bytes));
    put_le(out, std::uint32_t{0});
    put_le(out, header.base);
    put_le(out, header.durable_before);
    put_le(out, header.compact_end);
    put_le(out, header.compact_bytes);
    out.resize(segment_header_bytes);
    std::string checksum;
    put_le(checksum, header_checksum(out));
    return out.replace(12, 4, checksum);
}

Result<SegmentHeader> decode_header(std::string_view bytes) {
    if (bytes.size() < segment_header_bytes) return fail(Errc::malformed, "the segment is shorter than its header");
    bytes = bytes.substr(0, segment_header_bytes);
    if (!bytes.starts_with(magic)) return fail(Errc::malformed, "it doesn't begin as a segment");
    if (get_le<std::uint32_t>(bytes, 12) != header_checksum(bytes))
        return fail(Errc::malformed, "the checksum of its header is wrong");
    const auto version = get_le<std::uint16_t>(bytes, 8);
    if (version != dense_version && version != compact_version)
        return fail(Errc::unsupported,
                    fmt::format("its format is version {}, and this version of skerry knows {} to {}", version,
                                dense_version, compact_version));
    SegmentHeader header{get_le<std::uint64_t>(bytes, 16), get_le<std::uint64_t>(bytes, 24), 0, 0};
    if (version == dense_version) return header;
    header.compact_end = get_le<std::uint64_t>(bytes, 32);
    header.compact_bytes = get_le<std::uint64_t>(bytes, 40);
    if (header.compact_end <= header.base) return fail(Errc::malformed, "it ends before it begins");
    return header;
}

void append_record(std::string& out, LogPosition at, std::uint8_t kind, std::string_view payload,
                   std::uint32_t unsynced) {
    const auto start = out.size();
    put_le(out, std::uint32_t{0});
    put_le(out, static_cast<std::uint32_t>(payload.size()));
    put_le(out, unsynced);
    put_le(out, std::uint32_t{kind});  // and three zero bytes
    const auto checksum = record_checksum(at, std::string_view(out).substr(start + 4), payload);
    for (std::size_t byte = 0; byte < 4; ++byte) out[start + byte] = static_cast<char>(checksum >> (8 * byte) & 0xff);
    out += payload;
    out.resize(start + record_bytes(payload.size()));
}

void append_filler(std::string& out, LogPosition at, std::size_t count) {
    constexpr std::size_t most = record_bytes(largest_record) - smallest_record;
    while (count > 0) {
        const auto part = count <= most ? count : std::min(most, count - smallest_record);
        append_record(out, at, filler_kind, std::string(part - record_header_bytes, '\0'), 0);
        at += part;
        count -= part;
    }
}

std::optional<std::size_t> claimed_bytes(std::string_view bytes) {
    if (bytes.size() < record_header_bytes) return std::nullopt;
    const auto length = get_le<std::uint32_t>(bytes, 4);
    if (length == 0 || length > largest_record || get_le<std::uint32_t>(bytes, 12) > 0xff) return std::nullopt;
    return record_bytes(length);
}

std::optional<LogRecord> decode_record(std::string_view bytes, LogPosition at) {
    const auto size = claimed_bytes(bytes);
    if (!size || *size > bytes.size()) return std::nullopt;
    const auto payload = bytes.substr(record_header_bytes, get_le<std::uint32_t>(bytes, 4));
    if (get_le<std::uint32_t>(bytes, 0) != record_checksum(at, bytes.substr(4, 12), payload)) return std::nullopt;
    return LogRecord{at, static_cast<std::uint8_t>(bytes[12]), payload, at + *size, get_le<std::uint32_t>(bytes, 8)};
}

std::optional<LogRecord> find_record(std::string_view bytes, LogPosition at, std::size_t& effort) {
    for (std::size_t skip = smallest_record; skip + record_header_bytes <= bytes.size(); skip += 8) {
        const auto rest = bytes.substr(skip);
        const auto size = claimed_bytes(rest);
        if (!size || *size > rest.size()) continue;
        if (*size > effort) return std::nullopt;
        effort -= *size;
        if (auto record = decode_record(rest, at + skip)) return record;
    }
    return std::nullopt;
}

SegmentCheck check_segment(std::string_view bytes, LogPosition base, bool header_valid, LogPosition durable) {
    SegmentCheck check;
    std::vector<Hole> holes;
    std::vector<std::uint64_t> records_before;  // each hole
    std::size_t effort = 64 * bytes.size();
    auto at = base + std::min(bytes.size(), segment_header_bytes);
    const auto rest = [&] { return bytes.substr(at - base); };
    if (!header_valid) holes.push_back({base, at}), records_before.push_back(0);
    std::uint64_t records = 0;
    for (;;) {
        auto record = decode_record(rest(), at);
        if (!record) {
            record = find_record(rest(), at, effort);
            if (!record) break;
            holes.push_back({at, record->at});
            records_before.push_back(records);
        }
        durable = std::max(durable, record->at - std::min<LogPosition>(record->unsynced, record->at));
        at = record->next;
        ++records;
    }
    check.end = at;
    check.records = records;
    // The unreadable rest counts as a hole when a later segment says that there was something.
    if (at + smallest_record <= durable && durable <= base + bytes.size() && durable % 8 == 0) {
        holes.push_back({at, durable});
        records_before.push_back(records);
        check.end = durable;
    }
    for (std::size_t hole = 0; hole < holes.size(); ++hole) {
        if (holes[hole].begin < durable) {
            check.damage.push_back(holes[hole]);
            continue;
        }
        check.end = holes[hole].begin;
        check.records = records_before[hole];
        break;
    }
    check.used = check.end - base;
    const auto behind = bytes.substr(std::min<std::size_t>(bytes.size(), check.used));
    check.torn = behind.find_first_not_of('\0') != std::string_view::npos;
    return check;
}

void for_each_record(std::string_view bytes, LogPosition base, const SegmentCheck& check,
                     const std::function<void(const LogRecord&)>& visit) {
    auto hole = check.damage.begin();
    for (auto at = base + segment_header_bytes; at < check.end;) {
        while (hole != check.damage.end() && hole->end <= at) ++hole;
        if (hole != check.damage.end() && hole->begin <= at) {
            at = hole->end;
            continue;
        }
        const auto rest = bytes.substr(at - base);
        const auto payload = rest.substr(record_header_bytes, get_le<std::uint32_t>(rest, 4));
        const LogRecord record{at, static_cast<std::uint8_t>(rest[12]), payload, at + record_bytes(payload.size()),
                               get_le<std::uint32_t>(rest, 8)};
        if (record.kind != filler_kind) visit(record);
        at = record.next;
    }
}

std::string repair_segment(std::string_view bytes, LogPosition base, const SegmentCheck& check,
                           LogPosition durable_before) {
    std::string out = encode_header({base, durable_before});
    for (const auto& hole : check.damage) {
        if (hole.end <= base + segment_header_bytes) continue;  // the header
        out += bytes.substr(out.size(), hole.begin - base - out.size());
        append_filler(out, hole.begin, hole.end - hole.begin);
    }
    out += bytes.substr(out.size(), check.end - base - out.size());
    return out;
}

}  // namespace skerry::storage
