// The way into a session: handshake, CONNECT, credentials, CONNACK.
#include "base/log.hpp"
#include "base/timeout.hpp"
#include "cloud/mqtt/session.hpp"

#include <fmt/format.h>

#include <array>

namespace skerry::cloud {

namespace mqtt = codec::mqtt;

namespace {
constexpr Duration connect_limit = std::chrono::seconds(30);

// The first packet, or why there is none. Errc::unsupported: another level of MQTT.
Task<Result<mqtt::Connect>> read_connect(std::shared_ptr<net::Stream> stream, std::shared_ptr<mqtt::Decoder> decoder) {
    if (auto shaken = co_await stream->handshake(); !shaken) co_return fail(shaken.error());
    std::array<char, 4096> buffer{};
    for (;;) {
        auto packet = decoder->next();
        if (!packet) co_return fail(packet.error());
        if (*packet) {
            if (auto* connect = std::get_if<mqtt::Connect>(&**packet)) co_return std::move(*connect);
            co_return fail(Errc::malformed, "the first packet is not CONNECT");
        }
        const auto count = co_await stream->read_some(buffer);
        if (!count) co_return fail(count.error());
        if (*count == 0) co_return fail(Errc::closed, "the client closed before CONNECT");
        decoder->feed(std::string_view(buffer.data(), *count));
    }
}

Task<> refuse_connect(net::Stream& stream, mqtt::ConnectCode code) {
    std::string bytes;
    mqtt::encode(mqtt::Connack{false, code}, bytes);
    static_cast<void>(co_await stream.write(bytes));
}

// Any failure is CONNACK 5 to the client; the text is for the log.
Task<Result<DeviceAccess>> authenticate(const mqtt::Connect& connect, const net::Peer& peer, Hub& hub) {
    if (!connect.user_name) co_return fail(Errc::unauthorized, "CONNECT has no user name");
    const auto name = iothub::parse_user_name(*connect.user_name);
    if (!name) co_return fail(name.error());
    if (connect.client_id != name->identity.id())
        co_return fail(Errc::unauthorized, fmt::format("client id '{}' and user name ('{}') differ", connect.client_id,
                                                       name->identity.id()));
    const auto token = connect.password.value_or("");
    if (token.empty() && peer.certificates_pem.empty())
        co_return fail(Errc::unauthorized,
                       fmt::format("'{}' sent neither a token as its password nor a certificate", name->identity.id()));
    auto access = co_await hub.ask([&](Stores& stores) -> Outcome<DeviceAccess> {
        if (!stores.authenticator.is_host(name->host))
            return refuse(HubCode::unauthorized, fmt::format("this hub is not called '{}'", name->host));
        if (token.empty()) return stores.authenticator.connect_with_certificate(name->identity, peer.certificates_pem);
        return stores.authenticator.connect(name->identity, name->auth_chain, token);
    });
    if (!access) co_return fail(Errc::unauthorized, fmt::format("'{}': {}", name->identity.id(), access.error().text));
    co_return std::move(*access);
}
}  // namespace

Task<> serve_mqtt(std::unique_ptr<net::Stream> owned, MqttContext context) {
    const std::shared_ptr<net::Stream> stream = std::move(owned);
    const auto decoder = std::make_shared<mqtt::Decoder>(mqtt::Limits{.packet_bytes = largest_packet});
    const auto peer = stream->peer().address;
    auto connect = co_await with_timeout(context.clock, connect_limit, read_connect(stream, decoder));
    if (!connect) {
        if (decoder->unsupported_level()) co_await refuse_connect(*stream, mqtt::ConnectCode::unacceptable_protocol);
        log::info("mqtt {}: refused: {}", peer, connect.error().text);
        stream->close();
        co_return;
    }
    auto access = co_await authenticate(*connect, stream->peer(), context.hub);
    if (!access) {
        log::warn("mqtt {}: refused: {}", peer, access.error().text);
        co_await refuse_connect(*stream, mqtt::ConnectCode::not_authorized);
        stream->close();
        co_return;
    }
    const auto identity = access->identity;
    const auto session =
        std::make_shared<MqttSession>(stream, std::move(*decoder), std::move(*connect), std::move(*access), context);
    auto& connections = context.hub.connections();
    struct Attached {
        Connections& all;
        const model::Identity& identity;
        MqttSession& session;
        net::Stream& stream;
        ~Attached() {
            all.detach(identity, session);
            stream.close();
        }
    } attached{connections, identity, *session, *stream};
    connections.attach(identity, session);
    co_await session->run();
}

}  // namespace skerry::cloud
