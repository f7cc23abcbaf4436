#include "codec/mqtt.hpp"

#include "base/encoding.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>

using namespace skerry;
using namespace skerry::codec::mqtt;

namespace {
std::string bytes(std::string_view hex) {
    std::string digits(hex);
    std::erase(digits, ' ');
    return hex_decode(digits).value();
}

std::string encoded(const Packet& packet) {
    std::string out;
    encode(packet, out);
    return out;
}

Result<std::optional<Packet>> decode_all(std::string_view input) {
    Decoder decoder;
    decoder.feed(input);
    return decoder.next();
}

// What a stream of bytes comes to: the packets (encoded again, since that is their identity) and how it ended.
struct Outcome {
    std::vector<std::string> packets;
    std::optional<Error> error;
    bool operator==(const Outcome& other) const {
        return packets == other.packets && error.has_value() == other.error.has_value() &&
               (!error || (error->code == other.error->code && error->text == other.error->text));
    }
};

void drain(Decoder& decoder, Outcome& outcome) {
    while (!outcome.error) {
        const auto packet = decoder.next();
        if (!packet)
            outcome.error = packet.error();
        else if (!*packet)
            return;
        else
            outcome.packets.push_back(encoded(**packet));
    }
}

Outcome run(std::string_view input, std::size_t step) {
    Decoder decoder;
    Outcome outcome;
    for (std::size_t at = 0; at < input.size(); at += step) {
        decoder.feed(input.substr(at, step));
        drain(decoder, outcome);
    }
    return outcome;
}

Connect full_connect() {
    Connect connect;
    connect.clean_session = true;
    connect.keep_alive_seconds = 60;
    connect.client_id = "c";
    connect.will = Will{"w/t", std::string("\x00\xff", 2), QoS::at_least_once, true};
    connect.user_name = "u";
    connect.password = "p";
    return connect;
}

rc::Gen<Packet> any_packet() {
    const auto text = rc::gen::container<std::string>(rc::gen::inRange<char>('a', 'z'));
    const auto topic = rc::gen::map(text, [](const std::string& s) { return "t/" + s; });
    const auto id = rc::gen::inRange<int>(1, 65536);
    const auto qos = rc::gen::inRange<int>(0, 3);
    const auto publish = rc::gen::apply(
        [](std::string name, std::string payload, int level, int number) {
            Publish packet{std::move(name), std::move(payload), static_cast<QoS>(level), false, level == 1, 0, {}};
            if (level > 0) packet.id = static_cast<PacketId>(number);
            return Packet(std::move(packet));
        },
        topic, rc::gen::arbitrary<std::string>(), qos, id);
    const auto subscribe = rc::gen::apply(
        [](std::vector<std::string> filters, int level, int number) {
            Subscribe packet{static_cast<PacketId>(number), {{"a/#", QoS::at_most_once}}};
            for (auto& filter : filters) packet.filters.push_back({std::move(filter), static_cast<QoS>(level)});
            return Packet(std::move(packet));
        },
        rc::gen::container<std::vector<std::string>>(topic), qos, id);
    const auto ack = rc::gen::map(id, [](int number) { return Packet(Puback{static_cast<PacketId>(number)}); });
    const auto connect = rc::gen::map(text, [](std::string name) {
        auto packet = full_connect();
        packet.client_id = std::move(name);
        return Packet(std::move(packet));
    });
    return rc::gen::oneOf(publish, subscribe, ack, connect, rc::gen::just(Packet(Pingreq{})));
}
}  // namespace

TEST_CASE("every packet has the bytes of the specification, both ways") {
    const std::pair<Packet, std::string_view> cases[] = {
        {full_connect(), "10 1c 0004 4d515454 04 ee 003c 0001 63 0003 772f74 0002 00ff 0001 75 0001 70"},
        {Connect{}, "10 0c 0004 4d515454 04 00 0000 0000"},
        {Connack{true, ConnectCode::accepted}, "20 02 01 00"},
        {Connack{false, ConnectCode::not_authorized}, "20 02 00 05"},
        {Publish{"a/b", "hi", QoS::at_most_once, false, false, 0, {}}, "30 07 0003 612f62 6869"},
        {Publish{"a", "", QoS::at_least_once, true, true, 10, {}}, "3b 05 0001 61 000a"},
        {Publish{"a", "x", QoS::exactly_once, false, false, 65535, {}}, "34 06 0001 61 ffff 78"},
        {Puback{1}, "40 02 0001"},
        {Pubrec{2}, "50 02 0002"},
        {Pubrel{3}, "62 02 0003"},
        {Pubcomp{4}, "70 02 0004"},
        {Subscribe{5, {{"a/#", QoS::at_least_once}, {"+", QoS::exactly_once}}}, "82 0c 0005 0003 612f23 01 0001 2b 02"},
        {Suback{6, {0, 1, 2, 0x80}}, "90 06 0006 00 01 02 80"},
        {Unsubscribe{7, {"a", "b"}}, "a2 08 0007 0001 61 0001 62"},
        {Unsuback{8}, "b0 02 0008"},
        {Pingreq{}, "c0 00"},
        {Pingresp{}, "d0 00"},
        {Disconnect{}, "e0 00"},
    };
    for (const auto& [packet, hex] : cases) {
        CAPTURE(hex);
        CHECK(hex_encode(encoded(packet)) == hex_encode(bytes(hex)));
        const auto decoded = decode_all(bytes(hex));
        REQUIRE(decoded);
        REQUIRE(*decoded);
        CHECK((*decoded)->index() == packet.index());
        CHECK(encoded(**decoded) == bytes(hex));
    }
}

TEST_CASE("a decoded CONNECT has every field") {
    const auto packet = decode_all(encoded(full_connect()));
    REQUIRE(packet);
    const auto& connect = std::get<Connect>(**packet);
    CHECK(connect.level == 4);
    CHECK(connect.clean_session);
    CHECK(connect.keep_alive_seconds == 60);
    CHECK(connect.client_id == "c");
    REQUIRE(connect.will);
    CHECK(connect.will->topic == "w/t");
    CHECK(connect.will->payload == std::string("\x00\xff", 2));
    CHECK(connect.will->qos == QoS::at_least_once);
    CHECK(connect.will->retain);
    CHECK(connect.user_name == "u");
    CHECK(connect.password == "p");
}

TEST_CASE("what the Node SDK sends first is understood") {
    const std::string_view user =
        "myhub.azure-devices.local/dev1/"
        "?api-version=2021-04-12&DeviceClientType=azure-iot-device%2F1.18.4%20(node%20v20."
        "20.2%3B%20Debian%2012%3B%20x64)";
    const std::string password(132, 's');
    std::string input = bytes("10 a7 02 0004 4d515454 04 c0 00b4 0004 64657631 008f");
    input.append(user).append({'\0', static_cast<char>(password.size())}).append(password);
    REQUIRE(user.size() == 0x8f);
    REQUIRE(input.size() == 3 + 0x127);
    const auto packet = decode_all(input);
    REQUIRE(packet);
    const auto& connect = std::get<Connect>(**packet);
    CHECK(connect.keep_alive_seconds == 180);
    CHECK_FALSE(connect.clean_session);
    CHECK(connect.client_id == "dev1");
    CHECK(connect.user_name == user);
    CHECK(connect.password == password);
}

TEST_CASE("what breaks the specification is refused with the packet's name and the reason") {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"00 00", "type 0 is reserved"},
        {"f0 00", "type 15 is reserved"},
        {"11 00", "type 1 has the flags 0x1"},
        {"80 00", "type 8 has the flags"},
        {"60 00", "type 6 has the flags"},
        {"c1 00", "type 12 has the flags"},
        {"30 ff ff ff ff", "remaining length"},
        {"10 0c 0004 4d515453 04 00 0000 0000", "CONNECT: the protocol name"},
        {"10 0e 0006 4d5149736470 03 00 0000 0000", "CONNECT: the protocol name"},
        {"10 0c 0004 4d515454 04 01 0000 0000", "CONNECT: the reserved flag"},
        {"10 0c 0004 4d515454 04 08 0000 0000", "CONNECT: it has flags of a will"},
        {"10 0c 0004 4d515454 04 20 0000 0000", "CONNECT: it has flags of a will"},
        {"10 11 0004 4d515454 04 1c 0000 0000 0001 61 0000", "CONNECT: the will's QoS is 3"},
        {"10 10 0004 4d515454 04 04 0000 0000 0000 0000", "CONNECT: the topic is empty"},
        {"10 0f 0004 4d515454 04 40 0000 0000 0001 70", "CONNECT: it has a password but no user name"},
        {"10 0d 0004 4d515454 04 00 0000 0000 00", "CONNECT: there are bytes after its end"},
        {"10 0b 0004 4d515454 04 00 0000 00", "CONNECT: it ends too early"},
        {"10 0d 0004 4d515454 04 00 0000 0001 ff", "CONNECT: a string is no UTF-8"},
        {"10 0d 0004 4d515454 04 00 0000 0001 00", "CONNECT: a string holds NUL"},
        {"20 02 02 00", "CONNACK: reserved flags"},
        {"20 02 00 06", "CONNACK: the return code"},
        {"20 02 01 05", "CONNACK: a session is present"},
        {"20 01 00", "CONNACK: it ends too early"},
        {"36 05 0001 61 0001", "PUBLISH: the QoS is 3"},
        {"38 03 0001 61", "PUBLISH: DUP is set at QoS 0"},
        {"30 02 0000", "PUBLISH: the topic is empty"},
        {"30 03 0001 23", "PUBLISH: the topic holds a wildcard"},
        {"30 05 0003 612b62", "PUBLISH: the topic holds a wildcard"},
        {"30 05 0003 eda080", "PUBLISH: a string is no UTF-8"},
        {"30 03 0001 00", "PUBLISH: a string holds NUL"},
        {"30 03 0002 61", "PUBLISH: it ends too early"},
        {"32 05 0001 61 0000", "PUBLISH: the packet id is 0"},
        {"32 04 0001 61 00", "PUBLISH: it ends too early"},
        {"40 02 0000", "PUBACK: the packet id is 0"},
        {"40 03 0001 00", "PUBACK: there are bytes after"},
        {"40 00", "PUBACK: it ends too early"},
        {"82 02 0001", "SUBSCRIBE: it ends too early"},
        {"82 06 0000 0001 61 00", "SUBSCRIBE: the packet id is 0"},
        {"82 06 0001 0001 61 03", "SUBSCRIBE: a requested QoS"},
        {"82 05 0001 0000 00", "SUBSCRIBE: a topic filter"},
        {"82 08 0001 0003 612f2b 07", "SUBSCRIBE: a requested QoS"},
        {"82 07 0001 0002 612b 00", "SUBSCRIBE: a topic filter"},
        {"90 02 0001", "SUBACK: it ends too early"},
        {"90 03 0001 03", "SUBACK: a return code"},
        {"a2 02 0001", "UNSUBSCRIBE: it ends too early"},
        {"a2 06 0001 0002 2361", "UNSUBSCRIBE: a topic filter"},
        {"c0 01 00", "PINGREQ: there are bytes after"},
        {"e0 01 00", "DISCONNECT: there are bytes after"},
    };
    for (const auto& [hex, expected] : cases) {
        CAPTURE(hex);
        const auto packet = decode_all(bytes(hex));
        REQUIRE_FALSE(packet);
        CHECK(packet.error().code == Errc::malformed);
        CAPTURE(packet.error().text);
        CHECK(packet.error().text.find(expected) != std::string::npos);
    }
}

TEST_CASE("a CONNECT of another level is told apart, so that it can be answered") {
    for (const auto* hex : {"10 10 0004 4d515454 05 02 003c 00 0003 616263", "10 0c 0004 4d515454 03 00 0000 0000"}) {
        Decoder decoder;
        decoder.feed(bytes(hex));
        const auto packet = decoder.next();
        REQUIRE_FALSE(packet);
        CHECK(packet.error().code == Errc::unsupported);
        REQUIRE(decoder.unsupported_level());
        CHECK(decoder.unsupported_level()->level == (bytes(hex)[8]));
    }
}

TEST_CASE("what MQTT can't carry is not encoded, and nothing of it is") {
    std::string out = "before";
    const std::string fits(65535, 'x');
    const auto too_long = fits + "x";
    CHECK_FALSE(encode_publish(too_long, "", QoS::at_most_once, false, false, 0, out));
    CHECK_FALSE(encode(Subscribe{1, {{"a", {}}, {too_long, {}}}}, out));
    CHECK_FALSE(encode(Unsubscribe{1, {too_long}}, out));
    auto connect = full_connect();
    connect.password = too_long;
    CHECK_FALSE(encode(connect, out));
    CHECK(out == "before");
    CHECK(encode_publish(fits, "", QoS::at_most_once, false, false, 0, out));
}

TEST_CASE("a packet over the limit is refused by its header, before its body is stored") {
    const auto publish = [](std::size_t total) {
        const std::string topic = "t";
        std::string out;
        encode_publish(topic, std::string(total - 7, 'x'), QoS::at_most_once, false, false, 0, out);
        return out;
    };
    const auto largest = publish(262144);
    REQUIRE(largest.size() == 262144);
    CHECK(decode_all(largest));
    Decoder decoder;
    decoder.feed(publish(262145).substr(0, 4));
    const auto packet = decoder.next();
    REQUIRE_FALSE(packet);
    CHECK(packet.error().code == Errc::full);
}

TEST_CASE("after an error the decoder repeats it and keeps nothing") {
    Decoder decoder;
    decoder.feed(bytes("c0 00 f0 00 c0 00"));
    CHECK(decoder.next().value());
    CHECK_FALSE(decoder.next());
    decoder.feed(std::string(100000, 'x'));
    CHECK(decoder.buffered() == 0);
    CHECK_FALSE(decoder.next());
}

TEST_CASE("an empty decoder waits, and one that has given everything holds nothing") {
    Decoder decoder;
    CHECK_FALSE(decoder.next().value());
    decoder.feed(bytes("c0"));
    CHECK_FALSE(decoder.next().value());
    CHECK(decoder.buffered() == 1);
    decoder.feed(bytes("00"));
    CHECK(decoder.next().value());
    CHECK(decoder.buffered() == 0);
}

TEST_CASE("it does not matter how a stream is cut") {
    CHECK(rc::check("any cut gives the same packets", [] {
        const auto packets = *rc::gen::container<std::vector<Packet>>(any_packet());
        std::string stream;
        Outcome expected;
        for (const auto& packet : packets) {
            expected.packets.push_back(encoded(packet));
            stream += expected.packets.back();
        }
        RC_ASSERT(run(stream, 1) == expected);
        RC_ASSERT(run(stream, stream.size() + 1) == expected);
        RC_ASSERT(run(stream, *rc::gen::inRange<std::size_t>(1, 5000)) == expected);
    }));
    CHECK(rc::check("a damaged stream ends the same way, too", [] {
        const auto packets = *rc::gen::container<std::vector<Packet>>(any_packet());
        std::string stream;
        for (const auto& packet : packets) encode(packet, stream);
        RC_PRE(!stream.empty());
        stream[*rc::gen::inRange<std::size_t>(0, stream.size())] = *rc::gen::arbitrary<char>();
        RC_ASSERT(run(stream, 1) == run(stream, stream.size()));
    }));
}

TEST_CASE("filters follow section 4.7") {
    for (const auto* good : {"#", "+", "a", "/", "a/#", "+/+", "a/+/b", "//", "$iothub/methods/POST/#", "a//#"}) {
        CAPTURE(good);
        CHECK(is_valid_filter(good));
    }
    for (const auto* bad : {"", "#/", "a#", "a/#/b", "a+", "+a", "a/b+/c", "##", "++"}) {
        CAPTURE(bad);
        CHECK_FALSE(is_valid_filter(bad));
    }
    struct Case {
        std::string_view filter, topic;
        bool expected;
    };
    const Case cases[] = {
        {"a", "a", true},
        {"a", "b", false},
        {"a", "a/b", false},
        {"a/b", "a", false},
        {"#", "a/b/c", true},
        {"a/#", "a", true},
        {"a/#", "a/b/c", true},
        {"a/#", "ab", false},
        {"a/#", "a/", true},
        {"+", "a", true},
        {"+", "/a", false},
        {"/+", "/a", true},
        {"+/+", "/a", true},
        {"a/+", "a", false},
        {"a/+", "a/", true},
        {"a/+/c", "a/b/c", true},
        {"a/+/c", "a/b/d/c", false},
        {"a/+/#", "a/b", true},
        {"a/+/#", "a", false},
        {"#", "$SYS/x", false},
        {"+/x", "$SYS/x", false},
        {"$SYS/#", "$SYS/x", true},
        {"$iothub/methods/POST/#", "$iothub/methods/POST/m/?$rid=1", true},
        {"devices/d/modules/m/#", "devices/d/modules/m/inputs/i/%24.cdid=d", true},
        {"devices/d/modules/m/inputs/#", "devices/d/modules/m/inputs/i", true},
        {"devices/d/modules/m/inputs/#", "devices/d/modules/mm/inputs/i", false},
    };
    for (const auto& [filter, topic, expected] : cases) {
        CAPTURE(filter);
        CAPTURE(topic);
        CHECK(matches(filter, topic) == expected);
    }
}
