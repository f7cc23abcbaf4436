#include "codec/mqtt.hpp"

#include <cassert>

namespace skerry::codec::mqtt {

namespace {
constexpr std::size_t longest_body = 268435455;

void put_u8(std::string& out, std::size_t value) { out.push_back(static_cast<char>(value)); }

void put_u16(std::string& out, std::size_t value) {
    put_u8(out, value >> 8);
    put_u8(out, value & 0xff);
}

bool put_string(std::string& out, std::string_view text) {
    if (text.size() > longest_string) return false;
    put_u16(out, text.size());
    out.append(text);
    return true;
}

void put_header(std::string& out, std::uint8_t first, std::size_t body_bytes) {
    put_u8(out, first);
    do {
        put_u8(out, (body_bytes & 0x7f) | (body_bytes > 0x7f ? 0x80U : 0U));
        body_bytes >>= 7;
    } while (body_bytes > 0);
}

bool put_packet(std::string& out, std::uint8_t first, std::string_view body) {
    if (body.size() > longest_body) return false;
    put_header(out, first, body.size());
    out.append(body);
    return true;
}

bool put_id_packet(std::string& out, std::uint8_t first, PacketId id) {
    assert(id != 0);
    put_header(out, first, 2);
    put_u16(out, id);
    return true;
}

bool put_empty_packet(std::string& out, std::uint8_t first) {
    put_header(out, first, 0);
    return true;
}

unsigned number(QoS qos) { return static_cast<unsigned>(qos); }

std::uint8_t connect_flags(const Connect& packet) {
    unsigned flags = packet.clean_session ? 0x02U : 0U;
    if (packet.will) flags |= 0x04U | number(packet.will->qos) << 3 | (packet.will->retain ? 0x20U : 0U);
    if (packet.password) flags |= 0x40U;
    if (packet.user_name) flags |= 0x80U;
    return static_cast<std::uint8_t>(flags);
}

struct Encoder {
    std::string& out;

    bool operator()(const Connect& packet) const {
        assert(packet.user_name || !packet.password);
        std::string body;
        put_string(body, "MQTT");
        put_u8(body, packet.level);
        put_u8(body, connect_flags(packet));
        put_u16(body, packet.keep_alive_seconds);
        bool fits = put_string(body, packet.client_id);
        if (packet.will) fits = fits && put_string(body, packet.will->topic) && put_string(body, packet.will->payload);
        if (packet.user_name) fits = fits && put_string(body, *packet.user_name);
        if (packet.password) fits = fits && put_string(body, *packet.password);
        return fits && put_packet(out, 0x10, body);
    }
    bool operator()(const Connack& packet) const {
        put_header(out, 0x20, 2);
        put_u8(out, packet.session_present ? 1 : 0);
        put_u8(out, static_cast<std::uint8_t>(packet.code));
        return true;
    }
    bool operator()(const Publish& packet) const {
        return encode_publish(packet.topic, packet.payload, packet.qos, packet.dup, packet.retain, packet.id, out);
    }
    bool operator()(const Puback& packet) const { return put_id_packet(out, 0x40, packet.id); }
    bool operator()(const Pubrec& packet) const { return put_id_packet(out, 0x50, packet.id); }
    bool operator()(const Pubrel& packet) const { return put_id_packet(out, 0x62, packet.id); }
    bool operator()(const Pubcomp& packet) const { return put_id_packet(out, 0x70, packet.id); }
    bool operator()(const Subscribe& packet) const {
        std::string body;
        put_u16(body, packet.id);
        for (const auto& [filter, qos] : packet.filters) {
            if (!put_string(body, filter)) return false;
            put_u8(body, number(qos));
        }
        return put_packet(out, 0x82, body);
    }
    bool operator()(const Suback& packet) const {
        std::string body;
        put_u16(body, packet.id);
        for (const auto code : packet.codes) put_u8(body, code);
        return put_packet(out, 0x90, body);
    }
    bool operator()(const Unsubscribe& packet) const {
        std::string body;
        put_u16(body, packet.id);
        for (const auto& filter : packet.filters)
            if (!put_string(body, filter)) return false;
        return put_packet(out, 0xa2, body);
    }
    bool operator()(const Unsuback& packet) const { return put_id_packet(out, 0xb0, packet.id); }
    bool operator()(const Pingreq&) const { return put_empty_packet(out, 0xc0); }
    bool operator()(const Pingresp&) const { return put_empty_packet(out, 0xd0); }
    bool operator()(const Disconnect&) const { return put_empty_packet(out, 0xe0); }
};
}  // namespace

bool encode(const Packet& packet, std::string& out) { return std::visit(Encoder{out}, packet); }

bool encode_publish(std::string_view topic, std::string_view payload, QoS qos, bool dup, bool retain, PacketId id,
                    std::string& out) {
    const bool has_id = qos != QoS::at_most_once;
    assert(has_id == (id != 0));
    const auto body_bytes = 2 + topic.size() + (has_id ? 2 : 0) + payload.size();
    if (topic.size() > longest_string || body_bytes > longest_body) return false;
    const unsigned first = 0x30U | (dup ? 8U : 0U) | number(qos) << 1 | (retain ? 1U : 0U);
    put_header(out, static_cast<std::uint8_t>(first), body_bytes);
    put_string(out, topic);
    if (has_id) put_u16(out, id);
    out.append(payload);
    return true;
}

}  // namespace skerry::codec::mqtt
