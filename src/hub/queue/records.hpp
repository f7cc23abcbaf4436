// What the log's records mean: messages, cursors and endpoints as bytes and back (docs/formats/segment_log.md).
//
// Promises: a message comes back as it was, every property with it. Decoding accepts any bytes: nullopt when they are
//           none.
#pragma once

#include "hub/queue/queue_store.hpp"
#include "model/message.hpp"
#include "storage/segment_format.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::hub {

using storage::LogPosition;
using EndpointNumber = std::uint32_t;
using BootId = std::array<unsigned char, 16>;  // zero: unknown

enum class RecordKind : std::uint8_t { message = 1, snapshot = 2, endpoint = 3, cursor = 4, drop = 5 };

struct StoredTarget {
    EndpointNumber endpoint{0};
    std::uint32_t priority{default_priority};
    std::optional<std::chrono::seconds> time_to_live;
};

// When a message came: by both clocks, so that its age survives jumps of one and restarts of the other.
struct EnqueuedAt {
    std::int64_t wall{0};       // nanoseconds since 1970
    std::int64_t monotonic{0};  // nanoseconds, of the boot that the segment names
};

// What must be known of a stored message before its properties and body are worth decoding.
struct MessageHead {
    EnqueuedAt enqueued;
    std::vector<StoredTarget> targets;
    std::string_view rest;
};

void encode_message(std::string& out, const EnqueuedAt& enqueued, const std::vector<StoredTarget>& targets,
                    const model::Message& message);
[[nodiscard]] std::optional<MessageHead> decode_head(std::string_view payload);
[[nodiscard]] model::SharedMessage decode_message(const MessageHead& head);  // null when it is none

// All messages of the queue below `high` are done, except those at `holes` (ascending).
struct Cursor {
    EndpointNumber endpoint{0};
    std::uint32_t priority{default_priority};
    LogPosition high{0};
    std::vector<LogPosition> holes;
};
[[nodiscard]] std::string encode_cursor(const Cursor& cursor);
[[nodiscard]] std::optional<Cursor> decode_cursor(std::string_view payload);

struct EndpointName {
    EndpointNumber number{0};
    std::string name;
};
[[nodiscard]] std::string encode_endpoint(const EndpointName& endpoint);
[[nodiscard]] std::optional<EndpointName> decode_endpoint(std::string_view payload);

[[nodiscard]] std::string encode_drop(EndpointNumber endpoint);
[[nodiscard]] std::optional<EndpointNumber> decode_drop(std::string_view payload);

// What a full segment holds for one queue.
struct QueueTally {
    EndpointNumber endpoint{0};
    std::uint32_t priority{default_priority};
    std::uint64_t count{0};
    LogPosition first{0};
    LogPosition last{0};
};

struct SegmentSummary {
    LogPosition base{0};
    LogPosition end{0};
    std::int64_t last_seen{0};  // the latest monotonic time in it
    std::vector<QueueTally> queues;
    std::uint64_t messages{0};  // one may be in several queues; 0: unknown
};

struct Snapshot {
    BootId boot{};
    EnqueuedAt taken;
    EndpointNumber next_endpoint{1};
    std::vector<EndpointName> endpoints;
    std::vector<Cursor> cursors;
    std::vector<SegmentSummary> summaries;  // of older segments
};
[[nodiscard]] std::string encode_snapshot(const Snapshot& snapshot);
[[nodiscard]] std::optional<Snapshot> decode_snapshot(std::string_view payload);

// Decodes a record and hands it to `reader`, by what it is: on_message(record, head), on_snapshot, on_endpoint,
// on_cursor, on_drop. False when it can't be decoded; kinds of the future are left out.
template <class Reader>
bool read_record(const storage::LogRecord& record, Reader& reader) {
    const auto pass = [](const auto& decoded, auto&& to) {
        if (decoded) to(*decoded);
        return decoded.has_value();
    };
    switch (static_cast<RecordKind>(record.kind)) {
        case RecordKind::message:
            return pass(decode_head(record.payload), [&](const auto& head) { reader.on_message(record, head); });
        case RecordKind::snapshot:
            return pass(decode_snapshot(record.payload), [&](const auto& snapshot) { reader.on_snapshot(snapshot); });
        case RecordKind::endpoint:
            return pass(decode_endpoint(record.payload), [&](const auto& endpoint) { reader.on_endpoint(endpoint); });
        case RecordKind::cursor:
            return pass(decode_cursor(record.payload), [&](const auto& cursor) { reader.on_cursor(cursor); });
        case RecordKind::drop:
            return pass(decode_drop(record.payload), [&](EndpointNumber endpoint) { reader.on_drop(endpoint); });
    }
    return true;
}

}  // namespace skerry::hub
