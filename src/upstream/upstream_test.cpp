// The way to the cloud, against an MQTT server of paper with real TLS on loopback.
#include "upstream/upstream.hpp"

#include "base/encoding.hpp"
#include "base/loop.hpp"
#include "base/timeout.hpp"
#include "codec/mqtt.hpp"
#include "crypto/crypto.hpp"
#include "upstream/ways.hpp"

#include <doctest/doctest.h>

#include <exception>
#include <functional>
#include <map>
#include <set>

using namespace skerry;
using namespace skerry::upstream;
using namespace std::chrono_literals;
namespace wire = codec::mqtt;
namespace json = boost::json;

namespace {

model::Identity identity(std::string_view id) { return model::Identity::parse(id).value(); }

struct Certificate {
    std::string key = crypto::generate_private_key_pem(crypto::KeyKind::p256).value();
    std::string pem = crypto::self_signed_certificate({.common_name = "localhost",
                                                       .dns_names = {"localhost"},
                                                       .server_auth = true,
                                                       .not_before = std::chrono::system_clock::now() - 1h,
                                                       .not_after = std::chrono::system_clock::now() + 24h},
                                                      key)
                          .value();
};

// Accepts everybody, acknowledges everything, remembers who sent what.
class PaperServer {
public:
    PaperServer(net::Network& network, const Certificate& certificate, Executor executor)
        : tls_(net::TlsServer::create({.certificate_chain_pem = certificate.pem, .private_key_pem = certificate.key})
                   .value()),
          listener_(network.listen_tls("127.0.0.1", 0, tls_).value()),
          tasks_(executor) {
        tasks_.spawn("accept", accept());
    }
    Task<> close() {
        listener_->close();
        for (auto& [id, stream] : streams_) stream->close();
        co_await tasks_.close();
    }
    std::uint16_t port() const { return listener_->port(); }
    Task<> push(std::string id, std::string topic, std::string payload) {
        std::string bytes;
        wire::encode(wire::Publish{.topic = std::move(topic), .payload = std::move(payload)}, bytes);
        (void)co_await streams_.at(id)->write(bytes);
    }
    void cut(const std::string& id) { streams_.at(id)->close(); }

    std::map<std::string, std::string> users;  // client id -> user name
    std::map<std::string, std::string> tokens;
    std::set<std::string> refused_tokens;
    std::vector<std::pair<std::string, std::string>> received;
    std::map<std::string, std::set<std::string>> filters;  // client id -> what it subscribes to now

private:
    Task<> accept() {
        for (;;) {
            auto stream = co_await listener_->accept();
            if (!stream) co_return;
            tasks_.spawn("client", serve(std::move(*stream)));
        }
    }
    Task<> serve(std::shared_ptr<net::Stream> stream) {
        if (!co_await stream->handshake()) co_return;
        wire::Decoder decoder;
        std::string id;
        for (;;) {
            auto packet = decoder.next();
            if (!packet) co_return;
            if (*packet) {
                std::string answer;
                respond(**packet, id, stream, answer);
                if (!answer.empty() && !co_await stream->write(answer)) co_return;
                continue;
            }
            char buffer[4096];
            const auto count = co_await stream->read_some(buffer);
            if (!count || *count == 0) co_return;
            decoder.feed({buffer, *count});
        }
    }
    void respond(const wire::Packet& packet, std::string& id, const std::shared_ptr<net::Stream>& stream,
                 std::string& answer) {
        if (const auto* const connect = std::get_if<wire::Connect>(&packet)) {
            id = connect->client_id;
            const bool refused = refused_tokens.contains(connect->password.value_or(""));
            const auto code = refused ? wire::ConnectCode::not_authorized : wire::ConnectCode::accepted;
            wire::encode(wire::Connack{.session_present = false, .code = code}, answer);
            if (refused) return;
            users[id] = connect->user_name.value_or("");
            tokens[id] = connect->password.value_or("");
            streams_[id] = stream;
        } else if (const auto* const publish = std::get_if<wire::Publish>(&packet)) {
            received.emplace_back(id, publish->payload);
            if (publish->id != 0) wire::encode(wire::Puback{publish->id}, answer);
        } else if (const auto* const subscribe = std::get_if<wire::Subscribe>(&packet)) {
            for (const auto& each : subscribe->filters) filters[id].insert(each.filter);
            wire::encode(wire::Suback{subscribe->id, std::vector<std::uint8_t>(subscribe->filters.size(), 0)}, answer);
        } else if (const auto* const unsubscribe = std::get_if<wire::Unsubscribe>(&packet)) {
            for (const auto& each : unsubscribe->filters) filters[id].erase(each);
            wire::encode(wire::Unsuback{unsubscribe->id}, answer);
        } else if (std::holds_alternative<wire::Pingreq>(packet)) {
            wire::encode(wire::Pingresp{}, answer);
        }
    }

    std::shared_ptr<net::TlsServer> tls_;
    std::unique_ptr<net::Listener> listener_;
    std::map<std::string, std::shared_ptr<net::Stream>> streams_;  // shared with the task that serves it
    TaskScope tasks_;
};

struct PaperHub final : hub::CloudListener {
    Task<> on_desired(model::Identity identity, json::object patch) override {
        desired.emplace_back(identity.id(), std::move(patch));
        co_return;
    }
    Task<iothub::MethodResponse> on_method(model::Identity, iothub::MethodRequest request) override {
        co_return iothub::MethodResponse{201, "\"" + request.method + "\""};
    }
    Task<Result<>> on_cloud_to_device(model::Identity device, model::Message message) override {
        commands.emplace_back(device.id(), message.body);
        co_return Result<>{};
    }
    void on_connected(const model::Identity& identity) override { ++connected[identity.id()]; }
    void on_disconnected(const model::Identity&, const Error&) override {}
    void on_refused(const model::Identity& identity) override { ++refused[identity.id()]; }

    std::vector<std::pair<std::string, json::object>> desired;
    std::vector<std::pair<std::string, std::string>> commands;
    std::map<std::string, int> connected;
    std::map<std::string, int> refused;
};

Task<Result<std::string>> sign(std::string text) { co_return crypto::hmac_sha256("key", text); }

model::SharedMessage text(std::string body) {
    auto message = std::make_shared<model::Message>();
    message->body = std::move(body);
    return message;
}

struct World {
    explicit World(Loop& loop)
        : executor(loop.executor()),
          network(net::make_system_network(loop.executor())),
          server(std::make_unique<PaperServer>(*network, certificate, loop.executor())) {}

    std::unique_ptr<hub::CloudLink> link(std::size_t most = 10, std::uint16_t https_port = 1) {
        return make_link(
                   {.executor = executor,
                    .clock = clock,
                    .random = random,
                    .network = *network,
                    .own = identity("edge1/$edgeHub"),
                    .hub_host = "hub.example.net",
                    .dial_host = "localhost",
                    .mqtt_port = server->port(),
                    .https_port = https_port,
                    .trusted_pem = certificate.pem,
                    .signer = sign,
                    .chain_of = [](const model::Identity& of) { return std::vector<std::string>{of.id(), "edge1"}; },
                    .client_type = "EdgeHub/test",
                    .protocol = "Amqp",
                    .most_connections = most},
                   listener)
            .value();
    }
    Task<> eventually(std::function<bool()> condition) {
        const auto limit = clock.steady() + 10s;
        while (!condition()) {
            REQUIRE_MESSAGE(clock.steady() < limit, "it did not happen within ten seconds");
            co_await clock.sleep(1ms);
        }
    }

    Executor executor;
    Certificate certificate;
    SystemClock clock;
    SystemRandom random;
    std::unique_ptr<net::Network> network;
    std::unique_ptr<PaperServer> server;
    PaperHub listener;
};

void with_world(Task<> (*body)(World& world)) {
    Loop loop;
    World world(loop);
    const auto main = [&world, body](Event&) -> Task<int> {
        std::exception_ptr failure;
        try {
            co_await body(world);
        } catch (...) { failure = std::current_exception(); }
        co_await world.server->close();
        if (failure) std::rethrow_exception(failure);
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}

}  // namespace

TEST_CASE("a client's own token opens its way once the cloud has accepted it, and a bad one harms nobody") {
    with_world([](World& world) -> Task<> {
        const auto link = world.link();
        const auto leaf = identity("leaf1");
        const auto later = world.clock.wall() + 1h;
        link->set_interests(identity("edge1/$edgeHub"), {.desired = true, .methods = true});
        CHECK(co_await link->admit(leaf, "good", later));
        CHECK(world.server->tokens["leaf1"] == "good");
        CHECK_FALSE(world.server->users["leaf1"].contains("auth-chain"));
        CHECK(world.listener.connected["leaf1"] == 1);
        CHECK(co_await link->send(leaf, text("with its own token")));

        world.server->refused_tokens = {"bad"};
        CHECK((co_await link->admit(leaf, "bad", later)).error().code == Errc::unauthorized);
        CHECK(world.server->tokens["leaf1"] == "good");
        CHECK(world.listener.refused.empty());
        CHECK(co_await link->send(leaf, text("as before")));

        world.server->refused_tokens.insert("good");
        world.server->cut("leaf1");
        co_await world.eventually([&] { return world.listener.refused["leaf1"] > 0; });
        CHECK((co_await link->send(leaf, text("refused"))).error().code != Errc::malformed);
        co_await link->close();
    });
}

TEST_CASE("a token that was accepted earlier opens its client's way without being asked about") {
    with_world([](World& world) -> Task<> {
        const auto link = world.link(2);
        link->use_token(identity("leaf1"), "known", world.clock.wall() + 1h);
        link->use_token(identity("leaf2"), "ended", world.clock.wall() - 1h);
        link->set_interests(identity("edge1/$edgeHub"), {.desired = true, .methods = true});
        co_await link->wait_ready(identity("leaf1"));
        CHECK(co_await link->send(identity("leaf1"), text("with its own token")));
        CHECK(world.server->tokens["leaf1"] == "known");
        CHECK_FALSE(world.server->users["leaf1"].contains("auth-chain"));
        co_await link->close();
    });
}

namespace {

// The registry of paper: answers every call the same, one connection after the other.
struct PaperRegistry {
    explicit PaperRegistry(World& world)
        : clock(world.clock),
          listener(world.network
                       ->listen_tls("127.0.0.1", 0,
                                    net::TlsServer::create({.certificate_chain_pem = world.certificate.pem,
                                                            .private_key_pem = world.certificate.key})
                                        .value())
                       .value()),
          tasks(world.executor) {
        tasks.spawn("accept", accept());
    }
    Task<> accept() {
        for (;;) {
            auto stream = co_await listener->accept();
            if (!stream) co_return;
            ++connections;
            tasks.spawn("connection", serve(std::move(*stream)));
        }
    }
    Task<> serve(std::unique_ptr<net::Stream> stream) {
        const net::HttpHandler handler = [this](codec::HttpRequest request, const net::Peer&) {
            return answer(std::move(request));
        };
        co_await net::serve_http(*stream, clock, handler);
    }
    Task<codec::HttpResponse> answer(codec::HttpRequest request) {
        requests.push_back(std::move(request));
        codec::HttpResponse response{.status = 404, .headers = {}, .body = "{}", .next_chunk = {}};
        response.headers.set("iothub-errorcode", "ModuleNotFound");
        co_return response;
    }
    Clock& clock;
    std::unique_ptr<net::Listener> listener;
    std::vector<codec::HttpRequest> requests;
    int connections{0};
    TaskScope tasks;
};

}  // namespace

TEST_CASE("registry calls for those below go over one kept connection, and fail at once while the cloud is away") {
    with_world([](World& world) -> Task<> {
        PaperRegistry registry(world);
        const auto link = world.link(10, registry.listener->port());
        const iothub::OnBehalfCall call{"POST", "getModulesOnTargetDevice", R"({"authChain":"child;edge1"})", ""};
        link->set_interests(identity("edge1/$edgeHub"), {.desired = true, .methods = true});
        for (int i = 0; i < 3; ++i) {
            const auto answer = co_await link->relay(call);
            REQUIRE(answer);
            CHECK(answer->status == 404);
            CHECK(answer->error_code == "ModuleNotFound");
        }
        CHECK(registry.connections == 1);
        CHECK(registry.requests.size() == 3);
        CHECK(registry.requests[0].target.starts_with("/devices/edge1/modules/%24edgeHub/getModulesOnTargetDevice?"));
        CHECK(registry.requests[0].headers.find("Host") == "localhost");
        CHECK(registry.requests[0].body == call.body);
        co_await link->close();
        registry.listener->close();
        co_await registry.tasks.close();
    });
    with_world([](World& world) -> Task<> {
        const auto link = world.link();  // nobody listens at its HTTPS port
        link->set_interests(identity("edge1/$edgeHub"), {.desired = true, .methods = true});
        const auto answer = co_await link->relay({"POST", "getModulesOnTargetDevice", "{}", ""});
        CHECK(answer.error().code == Errc::unreachable);
        co_await link->close();
    });
}

TEST_CASE("each identity has a connection of its own, on behalf of it with the hub's token") {
    with_world([](World& world) -> Task<> {
        const auto link = world.link();
        link->set_interests(identity("edge1/$edgeHub"), {.desired = true, .methods = true});
        CHECK((co_await link->send(identity("leaf1"), text("too early"))).error().code == Errc::unreachable);
        for (const auto* id : {"leaf1", "edge1/sensor"}) {
            co_await link->wait_ready(identity(id));
            CHECK(co_await link->send(identity(id), text(id)));
        }
        CHECK(world.server->users["leaf1"].contains("auth-chain=" + percent_encode("leaf1;edge1")));
        CHECK(world.server->users["edge1/sensor"].contains("auth-chain=" + percent_encode("edge1/sensor;edge1")));
        CHECK_FALSE(world.server->users["edge1/$edgeHub"].contains("auth-chain"));
        CHECK(world.server->received ==
              std::vector<std::pair<std::string, std::string>>{{"leaf1", "leaf1"}, {"edge1/sensor", "edge1/sensor"}});
        CHECK(link->connected());
        co_await link->close();
    });
}

TEST_CASE("desired patches and methods are handed to the hub, and a lost connection comes back") {
    with_world([](World& world) -> Task<> {
        const auto link = world.link();
        link->set_interests(identity("edge1/$edgeHub"), {.desired = true, .methods = true});
        link->set_interests(identity("leaf1"), {.desired = true});
        co_await world.eventually([&world] { return world.listener.connected["leaf1"] == 1; });
        co_await world.server->push("leaf1", "$iothub/twin/PATCH/properties/desired/?$version=4",
                                    R"({"a":1,"$version":4})");
        co_await world.eventually([&world] { return world.listener.desired.size() == 1; });
        CHECK(world.listener.desired[0].first == "leaf1");
        co_await world.server->push("leaf1", "$iothub/methods/POST/reset/?$rid=1", "{}");
        co_await world.eventually([&world] { return !world.server->received.empty(); });
        CHECK(world.server->received[0].second == "\"reset\"");

        world.server->cut("leaf1");
        co_await world.eventually([&world] { return world.listener.connected["leaf1"] == 2; });
        co_await link->close();
    });
}

TEST_CASE("the cloud is asked for messages to a device only while the device wants them") {
    with_world([](World& world) -> Task<> {
        const auto link = world.link();
        const std::string filter = "devices/leaf1/messages/devicebound/#";
        link->set_interests(identity("leaf1"), {.desired = true});
        co_await world.eventually([&world] { return world.listener.connected["leaf1"] == 1; });
        CHECK_FALSE(world.server->filters["leaf1"].contains(filter));
        link->set_interests(identity("leaf1"), {.desired = true, .cloud_to_device = true});
        co_await world.eventually([&] { return world.server->filters["leaf1"].contains(filter); });
        co_await world.server->push("leaf1", "devices/leaf1/messages/devicebound/%24.mid=7", "hello");
        co_await world.eventually([&world] { return !world.listener.commands.empty(); });
        CHECK(world.listener.commands[0] == std::pair<std::string, std::string>("leaf1", "hello"));
        link->set_interests(identity("leaf1"), {});
        co_await world.eventually([&] { return !world.server->filters["leaf1"].contains(filter); });
        co_await link->close();
    });
}

TEST_CASE("the connection idle for longest makes room for another; wanted ones stay") {
    with_world([](World& world) -> Task<> {
        const auto link = world.link(3);
        link->set_interests(identity("edge1/$edgeHub"), {.desired = true});
        link->set_interests(identity("wanted"), {.desired = true});
        for (const auto* id : {"a", "b"}) {
            co_await link->wait_ready(identity(id));
            CHECK(co_await link->send(identity(id), text(id)));
        }
        link->set_interests(identity("b"), {.methods = true});
        CHECK((co_await link->send(identity("c"), text("c"))).error().code == Errc::full);
        link->set_interests(identity("wanted"), {});
        co_await link->wait_ready(identity("c"));
        CHECK(co_await link->send(identity("c"), text("c")));
        co_await link->close();
    });
}
