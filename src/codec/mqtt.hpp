// MQTT 3.1.1 packets as values (OASIS mqtt-v3.1.1), decoded and encoded without I/O.
//
// The model carries the protocol level and a property list from the start, so that MQTT 5 is an addition.
// Strings are not copied out of the input twice: the decoder hands over owned values.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace skerry::codec::mqtt {

enum class QoS : std::uint8_t { at_most_once = 0, at_least_once = 1, exactly_once = 2 };
using PacketId = std::uint16_t;  // 0 = none

struct Property {
    std::uint8_t id;
    std::string name;  // user properties only
    std::string value;
};
using Properties = std::vector<Property>;  // always empty at level 4

struct Will {
    std::string topic;
    std::string payload;
    QoS qos{QoS::at_most_once};
    bool retain{false};
};

struct Connect {
    std::uint8_t level{4};
    bool clean_session{false};
    std::uint16_t keep_alive_seconds{0};
    std::string client_id;
    std::optional<Will> will;
    std::optional<std::string> user_name;
    std::optional<std::string> password;
    Properties properties;
};

enum class ConnectCode : std::uint8_t {
    accepted = 0,
    unacceptable_protocol = 1,
    identifier_rejected = 2,
    server_unavailable = 3,
    bad_credentials = 4,
    not_authorized = 5,
};
struct Connack {
    bool session_present{false};
    ConnectCode code{ConnectCode::accepted};
};

struct Publish {
    std::string topic;
    std::string payload;
    QoS qos{QoS::at_most_once};
    bool dup{false};
    bool retain{false};
    PacketId id{0};  // present iff qos > 0
    Properties properties;
};
struct Puback {
    PacketId id;
};
struct Pubrec {
    PacketId id;
};
struct Pubrel {
    PacketId id;
};
struct Pubcomp {
    PacketId id;
};

struct Subscription {
    std::string filter;
    QoS qos;
};
struct Subscribe {
    PacketId id;
    std::vector<Subscription> filters;
};
struct Suback {
    PacketId id;
    std::vector<std::uint8_t> codes;  // granted QoS, or 0x80
};
struct Unsubscribe {
    PacketId id;
    std::vector<std::string> filters;
};
struct Unsuback {
    PacketId id;
};
struct Pingreq {};
struct Pingresp {};
struct Disconnect {};

using Packet = std::variant<Connect, Connack, Publish, Puback, Pubrec, Pubrel, Pubcomp, Subscribe, Suback, Unsubscribe,
                            Unsuback, Pingreq, Pingresp, Disconnect>;

// CONNECT with a level other than 4: the decoder stops, and the server answers unacceptable_protocol.
struct UnsupportedLevel {
    std::uint8_t level;
};

struct Limits {
    std::size_t packet_bytes{262144};  // with its fixed header
};

// Feed bytes as they come; take packets until nullopt. After an error the stream can't be resynchronized: close it.
// Errc::malformed: breaks the specification (wrong flags, ids of 0, bad UTF-8 or NUL in strings, wildcards in a PUBLISH
// topic, bad filters, trailing bytes); Errc::full: larger than the limit; Errc::unsupported: CONNECT of another level
// (ask unsupported_level()).
//
// Bounds:   holds at most one incomplete packet (below the limit) and what was fed since next() last gave nullopt.
//           The cost per byte is constant, however the bytes are cut. After an error it holds nothing and next()
//           repeats the error.
class Decoder {
public:
    explicit Decoder(Limits limits = {}) : limits_(limits) {}

    void feed(std::string_view bytes);
    [[nodiscard]] Result<std::optional<Packet>> next();
    [[nodiscard]] std::optional<UnsupportedLevel> unsupported_level() const { return unsupported_; }
    [[nodiscard]] std::size_t buffered() const { return buffer_.size() - start_; }

private:
    [[nodiscard]] Result<std::optional<Packet>> decode();

    Limits limits_;
    std::string buffer_;
    std::size_t start_{0};
    std::optional<Error> broken_;
    std::optional<UnsupportedLevel> unsupported_;
};

inline constexpr std::size_t longest_string = 65535;  // of topics, filters, client ids, user names, passwords

// Appends the packet. False, with nothing appended, when a string is longer than `longest_string` or the packet larger
// than 256 MB. The other values must be valid (ids not 0 where there is one).
bool encode(const Packet& packet, std::string& out);
// A PUBLISH whose payload is shared and must not be copied into a Packet first.
bool encode_publish(std::string_view topic, std::string_view payload, QoS qos, bool dup, bool retain, PacketId id,
                    std::string& out);

// Filter matching after section 4.7, `$`-topics included.
[[nodiscard]] bool is_valid_filter(std::string_view filter);
[[nodiscard]] bool matches(std::string_view filter, std::string_view topic);

}  // namespace skerry::codec::mqtt
