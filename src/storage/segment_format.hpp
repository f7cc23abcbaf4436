// The bytes of a segment (docs/formats/segment_log.md): values to bytes and back, with no file in sight.
//
// Promises: nothing that was not written as a record at exactly this position is taken for one. Looking for records
//           behind damage costs a bounded multiple of the segment's size, whatever its bytes are.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::storage {

// A place in the log; never comes twice in its life, and only grows.
using LogPosition = std::uint64_t;

inline constexpr std::size_t segment_header_bytes = 64;
inline constexpr std::size_t record_header_bytes = 16;
inline constexpr std::size_t largest_record = 16 * 1024 * 1024;
inline constexpr std::size_t largest_segment_file = 512 * 1024 * 1024;
inline constexpr std::uint8_t filler_kind = 0;

// "<16 hex digits of the base><suffix>": what a segment's file is called.
[[nodiscard]] std::string segment_name(LogPosition base, std::string_view suffix);
// The base in a file's name, "<16 hex digits><suffix>"; nullopt when it is no such name.
[[nodiscard]] std::optional<LogPosition> parse_segment_name(std::string_view name, std::string_view suffix);

struct SegmentHeader {
    LogPosition base{0};
    LogPosition durable_before{0};  // how far the log was durable when the segment was begun
    // Of a compact segment (segment_compact.hpp); zero for others.
    LogPosition compact_end{0};      // it stands for everything from the base to here
    std::uint64_t compact_bytes{0};  // of its file
};

[[nodiscard]] std::string encode_header(const SegmentHeader& header);
// Errc::malformed when it is none, Errc::unsupported when a newer version wrote it.
[[nodiscard]] Result<SegmentHeader> decode_header(std::string_view bytes);

struct LogRecord {
    LogPosition at{0};
    std::uint8_t kind{0};
    std::string_view payload;
    LogPosition next{0};        // where the one behind it begins
    std::uint32_t unsynced{0};  // bytes before it that were not durable when it was written
};

// What a record takes in a segment, with header and padding.
[[nodiscard]] constexpr std::size_t record_bytes(std::size_t payload) {
    return (record_header_bytes + payload + 7) & ~std::size_t{7};
}

void append_record(std::string& out, LogPosition at, std::uint8_t kind, std::string_view payload,
                   std::uint32_t unsynced);
// Appends fillers that cover exactly `count` bytes, a multiple of 8 and at least 24.
void append_filler(std::string& out, LogPosition at, std::size_t count);

// The record at the start of `bytes`, which lie at `at`; nullopt when there is none, or not all of it.
[[nodiscard]] std::optional<LogRecord> decode_record(std::string_view bytes, LogPosition at);
// How many bytes the record at the start of `bytes` claims to take; nullopt when that is no record's header.
[[nodiscard]] std::optional<std::size_t> claimed_bytes(std::string_view bytes);
// The first valid record behind the start of `bytes`, which lie at `at`. `effort` is what may be checksummed for it.
[[nodiscard]] std::optional<LogRecord> find_record(std::string_view bytes, LogPosition at, std::size_t& effort);

struct Hole {
    LogPosition begin{0};
    LogPosition end{0};
};

// What a segment's bytes are, after a crash or in quiet.
struct SegmentCheck {
    LogPosition end{0};        // of what is kept
    bool torn{false};          // something lies behind the end, and it may be thrown away
    std::vector<Hole> damage;  // in the file, offset by the base: what was durable and is not readable
    std::uint64_t records{0};
    std::uint64_t used{0};  // bytes of the file that are kept
    bool compact{false};
};

// `bytes` are all of the segment with base `base`. `durable`: what later segments say was durable.
[[nodiscard]] SegmentCheck check_segment(std::string_view bytes, LogPosition base, bool header_valid,
                                         LogPosition durable);

// Every record but fillers of a segment that was checked, in order.
void for_each_record(std::string_view bytes, LogPosition base, const SegmentCheck& check,
                     const std::function<void(const LogRecord&)>& visit);

// The segment without its damage: the good records where they were, fillers over the holes.
[[nodiscard]] std::string repair_segment(std::string_view bytes, LogPosition base, const SegmentCheck& check,
                                         LogPosition durable_before);

}  // namespace skerry::storage
