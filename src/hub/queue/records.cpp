#include "hub/queue/records.hpp"

#include "base/encoding.hpp"

#include <algorithm>
#include <limits>

namespace skerry::hub {

namespace {
// The numbers are on disk: only ever add at the end.
constexpr std::array<std::string_view, 27> known_names{
    "",           // the name is spelled out
    "messageId",  // 1
    "cid",
    "to",
    "userId",
    "absolute-expiry-time",  // 5
    "outputName",
    "ack",
    "contentType",
    "contentEncoding",
    "messageSchema",  // 10
    "creationTime",
    "iothub-interface-id",
    "dt-subject",
    "operation",
    "enqueuedTime",  // 15
    "inputName",
    "connectionDeviceId",
    "connectionModuleId",
    "connectionDeviceGenerationId",
    "connectionAuthMethod",  // 20
    "edgeMessageId",
    "edgeHubOriginInterface",
    "modelId",
    "sequenceNumber",
    "correlationId",  // 25
    "messageType",
};

void put_var(std::string& out, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
    out.push_back(static_cast<char>(value));
}

void put_text(std::string& out, std::string_view text) {
    put_var(out, text.size());
    out += text;
}

// Reads from the front; once something is missing or wrong, everything is zero or empty and failed() says so.
class Reader {
public:
    explicit Reader(std::string_view bytes) : left_(bytes) {}

    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] bool at_end() const { return !failed_ && left_.empty(); }
    [[nodiscard]] std::string_view rest() const { return left_; }

    std::string_view bytes(std::uint64_t count) {
        if (failed_ || count > left_.size()) {
            failed_ = true;
            return {};
        }
        const auto taken = left_.substr(0, static_cast<std::size_t>(count));
        left_.remove_prefix(static_cast<std::size_t>(count));
        return taken;
    }
    template <class T>
    T fixed() {
        const auto taken = bytes(sizeof(T));
        return failed_ ? T{} : get_le<T>(taken, 0);
    }
    std::uint64_t var() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const auto byte = fixed<std::uint8_t>();
            if (shift == 63 && byte > 1) break;
            value |= std::uint64_t{byte & 0x7fU} << shift;
            if (byte < 0x80) return failed_ ? 0 : value;
        }
        failed_ = true;
        return 0;
    }
    std::uint32_t var32() {
        const auto value = var();
        if (value > std::numeric_limits<std::uint32_t>::max()) failed_ = true;
        return failed_ ? 0 : static_cast<std::uint32_t>(value);
    }
    std::string_view text() { return bytes(var()); }
    // A number of items of at least `smallest` bytes each: never more than can be there.
    std::size_t count(std::size_t smallest) {
        const auto value = var();
        if (value > left_.size() / smallest) failed_ = true;
        return failed_ ? 0 : static_cast<std::size_t>(value);
    }

private:
    std::string_view left_;
    bool failed_{false};
};

void put_priority(std::string& out, std::uint32_t priority) {
    put_var(out, priority == default_priority ? 0 : std::uint64_t{priority} + 1);
}

std::uint32_t take_priority(Reader& reader) {
    const auto coded = reader.var();
    return coded == 0 ? default_priority : static_cast<std::uint32_t>(coded - 1);
}

std::uint8_t number_of(std::string_view name) {
    const auto* const found = std::find(known_names.begin() + 1, known_names.end(), name);
    return found == known_names.end() ? std::uint8_t{0} : static_cast<std::uint8_t>(found - known_names.begin());
}

// What the hub stamps on every message is shorter on disk; these numbers go on where the names end.
constexpr std::uint8_t binary_message_id = known_names.size();  // edgeMessageId of GUID's shape: its 16 bytes follow
constexpr std::uint8_t origin_internal = binary_message_id + 1;
constexpr std::uint8_t origin_downstream = binary_message_id + 2;
constexpr std::size_t guid_bytes = 16;
constexpr std::array<std::size_t, 4> guid_dashes{8, 13, 18, 23};

int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// False, with nothing appended, when the text is none in lower case.
bool put_guid(std::string& out, std::string_view text) {
    std::array<char, guid_bytes> bytes{};
    if (text.size() != 2 * guid_bytes + guid_dashes.size()) return false;
    std::size_t digits = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const bool dash = std::ranges::find(guid_dashes, at) != guid_dashes.end();
        const int value = digit(text[at]);
        if (dash ? text[at] != '-' : value < 0) return false;
        if (dash) continue;
        auto& byte = bytes[digits++ / 2];
        byte = static_cast<char>(static_cast<unsigned char>(byte) << 4 | value);
    }
    out.append(bytes.data(), bytes.size());
    return true;
}

std::string guid_text(std::string_view bytes) {
    auto text = hex_encode(bytes);
    if (bytes.size() == guid_bytes)
        for (const auto at : guid_dashes) text.insert(at, 1, '-');
    return text;
}

// Whether the property has a short form.
bool put_short(std::string& out, const model::Property& property) {
    if (!property.value) return false;
    if (property.name == "edgeHubOriginInterface" && *property.value == "internal") {
        out.push_back(static_cast<char>(origin_internal));
        return true;
    }
    if (property.name == "edgeHubOriginInterface" && *property.value == "downstream") {
        out.push_back(static_cast<char>(origin_downstream));
        return true;
    }
    if (property.name != "edgeMessageId") return false;
    out.push_back(static_cast<char>(binary_message_id));
    if (put_guid(out, *property.value)) return true;
    out.pop_back();
    return false;
}

bool take_short(Reader& reader, std::uint8_t number, model::Properties& properties) {
    if (number == binary_message_id)
        properties.emplace_back("edgeMessageId", guid_text(reader.bytes(guid_bytes)));
    else if (number == origin_internal || number == origin_downstream)
        properties.emplace_back("edgeHubOriginInterface", number == origin_internal ? "internal" : "downstream");
    else
        return false;
    return true;
}

void put_properties(std::string& out, const model::Properties& properties, bool of_system) {
    put_var(out, properties.size());
    for (const auto& property : properties) {
        if (of_system && put_short(out, property)) continue;
        const auto& [name, value] = property;
        const auto number = of_system ? number_of(name) : std::uint8_t{0};
        out.push_back(static_cast<char>(number));
        if (number == 0) put_text(out, name);
        put_var(out, value ? value->size() + 1 : 0);
        if (value) out += *value;
    }
}

model::Properties take_properties(Reader& reader) {
    const auto count = reader.count(1);
    model::Properties properties;
    for (std::size_t n = 0; n < count && !reader.failed(); ++n) {
        const auto number = reader.fixed<std::uint8_t>();
        if (take_short(reader, number, properties)) continue;
        const auto name = number == 0                   ? reader.text()
                          : number < known_names.size() ? known_names[number]
                                                        : std::string_view("unknown");
        const auto coded = reader.var();
        properties.emplace_back(name, coded > 0 ? std::optional(reader.bytes(coded - 1)) : std::nullopt);
    }
    return properties;
}

void put_cursor(std::string& out, const Cursor& cursor) {
    put_var(out, cursor.endpoint);
    put_priority(out, cursor.priority);
    put_var(out, cursor.high);
    put_var(out, cursor.holes.size());
    LogPosition before = 0;
    for (const auto hole : cursor.holes) put_var(out, hole - std::exchange(before, hole));
}

Cursor take_cursor(Reader& reader) {
    Cursor cursor;
    cursor.endpoint = reader.var32();
    cursor.priority = take_priority(reader);
    cursor.high = reader.var();
    const auto count = reader.count(1);
    cursor.holes.reserve(count);
    LogPosition at = 0;
    for (std::size_t n = 0; n < count; ++n) cursor.holes.push_back(at += reader.var());
    if (!std::ranges::is_sorted(cursor.holes))
        (void)reader.bytes(std::numeric_limits<std::uint64_t>::max());  // overflow
    return cursor;
}

void put_summary(std::string& out, const SegmentSummary& summary) {
    put_var(out, summary.base);
    put_var(out, summary.end - summary.base);
    put_le(out, summary.last_seen);
    // All messages come as a queue of endpoint 0, which there is none of.
    auto queues = summary.queues;
    if (summary.messages > 0) queues.push_back({0, default_priority, summary.messages, summary.base, summary.base});
    put_var(out, queues.size());
    for (const auto& queue : queues) {
        put_var(out, queue.endpoint);
        put_priority(out, queue.priority);
        put_var(out, queue.count);
        put_var(out, queue.first - summary.base);
        put_var(out, queue.last - queue.first);
    }
}

SegmentSummary take_summary(Reader& reader) {
    SegmentSummary summary;
    summary.base = reader.var();
    summary.end = summary.base + reader.var();
    summary.last_seen = reader.fixed<std::int64_t>();
    for (auto n = reader.count(5); n > 0; --n) {
        QueueTally queue{reader.var32(), take_priority(reader), reader.var(), summary.base + reader.var(), 0};
        queue.last = queue.first + reader.var();
        if (queue.endpoint == 0)
            summary.messages = queue.count;
        else
            summary.queues.push_back(queue);
    }
    return summary;
}
}  // namespace

void encode_message(std::string& out, const EnqueuedAt& enqueued, const std::vector<StoredTarget>& targets,
                    const model::Message& message) {
    out.push_back('\0');
    put_le(out, enqueued.wall);
    put_le(out, enqueued.monotonic);
    put_var(out, targets.size());
    for (const auto& target : targets) {
        put_var(out, target.endpoint);
        put_priority(out, target.priority);
        const auto seconds = target.time_to_live ? std::max<std::int64_t>(0, target.time_to_live->count()) : -1;
        put_var(out, static_cast<std::uint64_t>(seconds + 1));
    }
    put_properties(out, message.system, true);
    put_properties(out, message.properties, false);
    put_var(out, 0);  // extensions
    out += message.body;
}

std::optional<MessageHead> decode_head(std::string_view payload) {
    Reader reader(payload);
    (void)reader.fixed<std::uint8_t>();  // flags
    MessageHead head;
    head.enqueued.wall = reader.fixed<std::int64_t>();
    head.enqueued.monotonic = reader.fixed<std::int64_t>();
    const auto count = reader.count(3);
    head.targets.reserve(count);
    for (std::size_t n = 0; n < count; ++n) {
        StoredTarget target{reader.var32(), take_priority(reader), std::nullopt};
        const auto coded = reader.var();
        if (coded > 0 && coded <= std::uint64_t{1} << 62)
            target.time_to_live = std::chrono::seconds(static_cast<std::int64_t>(coded - 1));
        head.targets.push_back(target);
    }
    if (reader.failed()) return std::nullopt;
    head.rest = reader.rest();
    return head;
}

model::SharedMessage decode_message(const MessageHead& head) {
    Reader reader(head.rest);
    auto message = std::make_shared<model::Message>();
    message->system = take_properties(reader);
    message->properties = take_properties(reader);
    const auto extensions = reader.count(2);
    for (std::size_t n = 0; n < extensions; ++n) {
        (void)reader.var();
        (void)reader.text();
    }
    if (reader.failed()) return nullptr;
    message->body = reader.rest();
    return message;
}

std::string encode_cursor(const Cursor& cursor) {
    std::string out;
    put_cursor(out, cursor);
    return out;
}

std::optional<Cursor> decode_cursor(std::string_view payload) {
    Reader reader(payload);
    auto cursor = take_cursor(reader);
    if (!reader.at_end()) return std::nullopt;
    return cursor;
}

std::string encode_endpoint(const EndpointName& endpoint) {
    std::string out;
    put_var(out, endpoint.number);
    put_text(out, endpoint.name);
    return out;
}

std::optional<EndpointName> decode_endpoint(std::string_view payload) {
    Reader reader(payload);
    EndpointName endpoint{reader.var32(), std::string(reader.text())};
    if (!reader.at_end()) return std::nullopt;
    return endpoint;
}

std::string encode_drop(EndpointNumber endpoint) {
    std::string out;
    put_var(out, endpoint);
    return out;
}

std::optional<EndpointNumber> decode_drop(std::string_view payload) {
    Reader reader(payload);
    const auto endpoint = reader.var32();
    if (!reader.at_end()) return std::nullopt;
    return endpoint;
}

std::string encode_snapshot(const Snapshot& snapshot) {
    std::string out(reinterpret_cast<const char*>(snapshot.boot.data()), snapshot.boot.size());
    put_le(out, snapshot.taken.wall);
    put_le(out, snapshot.taken.monotonic);
    put_var(out, snapshot.next_endpoint);
    put_var(out, snapshot.endpoints.size());
    for (const auto& endpoint : snapshot.endpoints) out += encode_endpoint(endpoint);
    put_var(out, snapshot.cursors.size());
    for (const auto& cursor : snapshot.cursors) put_cursor(out, cursor);
    put_var(out, snapshot.summaries.size());
    for (const auto& summary : snapshot.summaries) put_summary(out, summary);
    return out;
}

std::optional<Snapshot> decode_snapshot(std::string_view payload) {
    Reader reader(payload);
    Snapshot snapshot;
    const auto boot = reader.bytes(snapshot.boot.size());
    std::ranges::copy(boot, snapshot.boot.begin());
    snapshot.taken.wall = reader.fixed<std::int64_t>();
    snapshot.taken.monotonic = reader.fixed<std::int64_t>();
    snapshot.next_endpoint = reader.var32();
    for (auto n = reader.count(2); n > 0; --n) {
        const auto number = reader.var32();
        snapshot.endpoints.push_back({number, std::string(reader.text())});
    }
    for (auto n = reader.count(4); n > 0; --n) snapshot.cursors.push_back(take_cursor(reader));
    for (auto n = reader.count(11); n > 0; --n) snapshot.summaries.push_back(take_summary(reader));
    if (!reader.at_end()) return std::nullopt;
    return snapshot;
}

}  // namespace skerry::hub
