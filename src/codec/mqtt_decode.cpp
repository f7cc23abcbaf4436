#include "base/encoding.hpp"
#include "codec/mqtt.hpp"

#include <fmt/format.h>

#include <utility>

namespace skerry::codec::mqtt {

namespace {
// A buffer that grew beyond this is given back when it is empty: idle connections keep little.
constexpr std::size_t kept_capacity = 16 * 1024;
constexpr std::size_t compact_from = 4 * 1024;

enum Type : std::uint8_t {
    type_connect = 1,
    type_connack,
    type_publish,
    type_puback,
    type_pubrec,
    type_pubrel,
    type_pubcomp,
    type_subscribe,
    type_suback,
    type_unsubscribe,
    type_unsuback,
    type_pingreq,
    type_pingresp,
    type_disconnect,
};

struct FixedHeader {
    std::uint8_t type{0};
    std::uint8_t flags{0};
    std::size_t header_bytes{0};
    std::size_t body_bytes{0};
};

std::unexpected<Error> malformed(std::string text) { return fail(Errc::malformed, std::move(text)); }

std::uint8_t byte_at(std::string_view bytes, std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); }

std::uint8_t required_flags(std::uint8_t type) {
    return type == type_pubrel || type == type_subscribe || type == type_unsubscribe ? 2 : 0;
}

// nullopt while bytes are missing.
Result<std::optional<FixedHeader>> read_fixed_header(std::string_view bytes) {
    if (bytes.empty()) return std::nullopt;
    FixedHeader header;
    header.type = byte_at(bytes, 0) >> 4;
    header.flags = byte_at(bytes, 0) & 0x0f;
    if (header.type < type_connect || header.type > type_disconnect)
        return malformed(fmt::format("packet type {} is reserved", header.type));
    if (header.type != type_publish && header.flags != required_flags(header.type))
        return malformed(fmt::format("packet type {} has the flags {:#x}", header.type, header.flags));
    for (std::size_t i = 1; i <= 4; ++i) {
        if (i >= bytes.size()) return std::nullopt;
        header.body_bytes |= static_cast<std::size_t>(byte_at(bytes, i) & 0x7f) << (7 * (i - 1));
        if ((byte_at(bytes, i) & 0x80) == 0) {
            header.header_bytes = i + 1;
            return header;
        }
    }
    return malformed("the remaining length has more than 4 bytes");
}

// Reads a packet's body in order. After the first thing that is wrong every read gives an empty value and good() is
// false.
class Body {
public:
    explicit Body(std::string_view bytes) : rest_(bytes) {}

    std::uint8_t u8() {
        const auto bytes = take(1);
        return bytes.empty() ? 0 : byte_at(bytes, 0);
    }
    std::uint16_t u16() {
        const auto bytes = take(2);
        return bytes.empty() ? 0 : static_cast<std::uint16_t>(byte_at(bytes, 0) << 8 | byte_at(bytes, 1));
    }
    std::string_view binary() { return take(u16()); }
    std::string_view text() {
        const auto bytes = binary();
        if (bytes.find('\0') != std::string_view::npos) complain("a string holds NUL");
        if (!is_utf8(bytes)) complain("a string is no UTF-8");
        return bytes;
    }
    PacketId id() {
        const auto value = u16();
        if (value == 0) complain("the packet id is 0");
        return value;
    }
    std::string_view topic() {
        const auto name = text();
        if (name.empty()) complain("the topic is empty");
        if (name.find_first_of("+#") != std::string_view::npos) complain("the topic holds a wildcard");
        return name;
    }
    std::string_view filter() {
        const auto value = text();
        if (!is_valid_filter(value)) complain("a topic filter is invalid");
        return value;
    }
    std::string_view all() { return take(rest_.size()); }

    void complain(const char* problem) {
        if (problem_ == nullptr) problem_ = problem;
        rest_ = {};
    }
    [[nodiscard]] bool more() const { return !rest_.empty(); }
    [[nodiscard]] bool good() const { return problem_ == nullptr; }

    // The value if the whole body was read and nothing was wrong with it.
    template <class T>
    Result<std::optional<Packet>> done(const char* name, T&& packet) {
        if (more()) complain("there are bytes after its end");
        if (problem_ != nullptr) return malformed(fmt::format("{}: {}", name, problem_));
        return Packet(std::forward<T>(packet));
    }

private:
    std::string_view take(std::size_t count) {
        if (count > rest_.size()) {
            complain("it ends too early");
            return {};
        }
        const auto out = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return out;
    }

    std::string_view rest_;
    const char* problem_{nullptr};
};

Result<std::optional<Packet>> decode_connect(Body body, std::optional<UnsupportedLevel>& unsupported) {
    if (body.text() != "MQTT") return malformed("CONNECT: the protocol name is not MQTT");
    Connect connect;
    connect.level = body.u8();
    if (body.good() && connect.level != 4) {
        unsupported = UnsupportedLevel{connect.level};
        return fail(Errc::unsupported,
                    fmt::format("CONNECT: protocol level {} instead of 4 (MQTT 3.1.1)", connect.level));
    }
    const auto flags = body.u8();
    const bool has_will = (flags & 0x04) != 0;
    const auto will_qos = static_cast<std::uint8_t>(flags >> 3 & 3);
    const bool has_user = (flags & 0x80) != 0;
    const bool has_password = (flags & 0x40) != 0;
    if ((flags & 0x01) != 0) body.complain("the reserved flag is set");
    if (will_qos == 3) body.complain("the will's QoS is 3");
    if (!has_will && (flags & 0x38) != 0) body.complain("it has flags of a will but no will");
    if (has_password && !has_user) body.complain("it has a password but no user name");
    connect.clean_session = (flags & 0x02) != 0;
    connect.keep_alive_seconds = body.u16();
    connect.client_id = body.text();
    if (has_will) {
        Will will{std::string(body.topic()), {}, static_cast<QoS>(will_qos), (flags & 0x20) != 0};
        will.payload = body.binary();
        connect.will = std::move(will);
    }
    if (has_user) connect.user_name = std::string(body.text());
    if (has_password) connect.password = std::string(body.binary());
    return body.done("CONNECT", std::move(connect));
}

Result<std::optional<Packet>> decode_connack(Body body) {
    const auto flags = body.u8();
    const auto code = body.u8();
    if (flags > 1) body.complain("reserved flags are set");
    if (code > 5) body.complain("the return code is reserved");
    if (flags == 1 && code != 0) body.complain("a session is present though it was refused");
    return body.done("CONNACK", Connack{flags == 1, static_cast<ConnectCode>(code)});
}

Result<std::optional<Packet>> decode_publish(std::uint8_t flags, Body body) {
    Publish publish;
    const auto qos = static_cast<std::uint8_t>(flags >> 1 & 3);
    publish.dup = (flags & 8) != 0;
    publish.retain = (flags & 1) != 0;
    if (qos == 3) body.complain("the QoS is 3");
    if (qos == 0 && publish.dup) body.complain("DUP is set at QoS 0");
    publish.qos = static_cast<QoS>(qos);
    publish.topic = body.topic();
    if (qos > 0) publish.id = body.id();
    publish.payload = body.all();
    return body.done("PUBLISH", std::move(publish));
}

Result<std::optional<Packet>> decode_subscribe(Body body) {
    Subscribe subscribe{body.id(), {}};
    do {
        Subscription subscription{std::string(body.filter()), {}};
        const auto qos = body.u8();
        if (qos > 2) body.complain("a requested QoS is above 2");
        subscription.qos = static_cast<QoS>(qos);
        subscribe.filters.push_back(std::move(subscription));
    } while (body.more());
    return body.done("SUBSCRIBE", std::move(subscribe));
}

Result<std::optional<Packet>> decode_unsubscribe(Body body) {
    Unsubscribe unsubscribe{body.id(), {}};
    do unsubscribe.filters.emplace_back(body.filter());
    while (body.more());
    return body.done("UNSUBSCRIBE", std::move(unsubscribe));
}

Result<std::optional<Packet>> decode_suback(Body body) {
    Suback suback{body.id(), {}};
    do {
        suback.codes.push_back(body.u8());
        if (suback.codes.back() > 2 && suback.codes.back() != 0x80) body.complain("a return code is reserved");
    } while (body.more());
    return body.done("SUBACK", std::move(suback));
}

Result<std::optional<Packet>> decode_body(const FixedHeader& header, std::string_view bytes,
                                          std::optional<UnsupportedLevel>& unsupported) {
    Body body(bytes);
    switch (header.type) {
        case type_connect: return decode_connect(body, unsupported);
        case type_connack: return decode_connack(body);
        case type_publish: return decode_publish(header.flags, body);
        case type_puback: return body.done("PUBACK", Puback{body.id()});
        case type_pubrec: return body.done("PUBREC", Pubrec{body.id()});
        case type_pubrel: return body.done("PUBREL", Pubrel{body.id()});
        case type_pubcomp: return body.done("PUBCOMP", Pubcomp{body.id()});
        case type_subscribe: return decode_subscribe(body);
        case type_suback: return decode_suback(body);
        case type_unsubscribe: return decode_unsubscribe(body);
        case type_unsuback: return body.done("UNSUBACK", Unsuback{body.id()});
        case type_pingreq: return body.done("PINGREQ", Pingreq{});
        case type_pingresp: return body.done("PINGRESP", Pingresp{});
        case type_disconnect: return body.done("DISCONNECT", Disconnect{});
        default: break;
    }
    return fail(Errc::internal, "a packet type passed the header check unseen");
}
}  // namespace

void Decoder::feed(std::string_view bytes) {
    if (broken_) return;
    // Moving the rest to the front only when it is the smaller part keeps the cost per byte constant.
    if (start_ >= compact_from && start_ >= buffer_.size() / 2) {
        buffer_.erase(0, start_);
        start_ = 0;
    }
    buffer_.append(bytes);
}

Result<std::optional<Packet>> Decoder::next() {
    if (broken_) return fail(*broken_);
    auto packet = decode();
    if (!packet) broken_ = packet.error();
    if (broken_ || start_ == buffer_.size()) {
        start_ = 0;
        if (broken_ || buffer_.capacity() > kept_capacity)
            std::string().swap(buffer_);
        else
            buffer_.clear();
    }
    return packet;
}

Result<std::optional<Packet>> Decoder::decode() {
    const auto bytes = std::string_view(buffer_).substr(start_);
    const auto header = read_fixed_header(bytes);
    if (!header) return fail(header.error());
    if (!*header) return std::nullopt;
    const auto size = (*header)->header_bytes + (*header)->body_bytes;
    if (size > limits_.packet_bytes)
        return fail(Errc::full,
                    fmt::format("a packet of {} bytes is over the limit of {}", size, limits_.packet_bytes));
    if (bytes.size() < size) return std::nullopt;
    auto packet = decode_body(**header, bytes.substr((*header)->header_bytes, (*header)->body_bytes), unsupported_);
    if (packet) start_ += size;
    return packet;
}

}  // namespace skerry::codec::mqtt
