// The bytes of a compact segment: what is still wanted of full ones, each record with its place in front of it.
//
// Promises: a record keeps its place in the log, so nobody who knows it by that place need hear of the move. All of a
//           compact segment was durable before it became one: what can't be read in it is damage, never a torn tail.
#pragma once

#include "storage/segment_format.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::storage {

inline constexpr std::size_t place_bytes = 8;

// Appends the record as it was, with its place.
void append_placed(std::string& out, const LogRecord& record);

struct PlacedRecord {
    LogRecord record;
    std::size_t offset{0};  // where it begins in the bytes that were looked at
    // What comes behind it lies here or further on. (The first record may be longer than the one that was there.)
    [[nodiscard]] LogPosition behind() const { return record.at + 8; }
    [[nodiscard]] std::size_t end() const { return offset + place_bytes + (record.next - record.at); }
};

// The record at the front of `bytes`, when its place is in [from, end); else nullopt.
[[nodiscard]] std::optional<PlacedRecord> decode_placed(std::string_view bytes, LogPosition from, LogPosition end);
// The first one behind the front. `effort` is what may be checksummed for it.
[[nodiscard]] std::optional<PlacedRecord> find_placed(std::string_view bytes, LogPosition from, LogPosition end,
                                                      std::size_t& effort);

// What a segment's bytes are, dense or compact; `header` is an error, or of another base, when it can't be trusted.
[[nodiscard]] SegmentCheck check_any_segment(std::string_view bytes, LogPosition base,
                                             const Result<SegmentHeader>& header, LogPosition durable);
// Every record but fillers of a segment that was checked so, in order.
void for_each_of_any(std::string_view bytes, LogPosition base, const SegmentCheck& check,
                     const std::function<void(const LogRecord&)>& visit);
// The compact segment without its damage.
[[nodiscard]] std::string repair_compact(std::string_view bytes, LogPosition base, const SegmentCheck& check,
                                         LogPosition durable_before);

}  // namespace skerry::storage
