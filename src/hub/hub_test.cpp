// The role as a whole, with a daemon of paper on a unix socket.
#include "hub/hub.hpp"

#include "base/encoding.hpp"
#include "base/task_scope.hpp"
#include "base/timeout.hpp"
#include "crypto/crypto.hpp"
#include "hub/test_hub.hpp"
#include "net/http.hpp"
#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

using namespace skerry;
using namespace skerry::hub;
using namespace skerry::hub::testing;
using namespace std::chrono_literals;
namespace json = boost::json;
namespace wire = codec::mqtt;

namespace {

// Serves the calls of the workload API that the hub makes.
class PaperDaemon {
public:
    PaperDaemon(net::Network& network, Clock& clock, std::filesystem::path socket, Executor executor)
        : network_(network), clock_(clock), socket_(std::move(socket)), tasks_(executor) {
        key_ = crypto::generate_private_key_pem(crypto::KeyKind::p256).value();
        certificate = crypto::self_signed_certificate({.common_name = "localhost",
                                                       .dns_names = {"localhost"},
                                                       .server_auth = true,
                                                       .not_before = clock.wall() - 1h,
                                                       .not_after = clock.wall() + 24h},
                                                      key_)
                          .value();
    }

    void start() {
        listener_ = network_.listen_unix(socket_, 0600).value();
        tasks_.spawn("paper daemon", accept());
    }
    Task<> close() {
        listener_->close();
        co_await tasks_.close();
    }

    std::string certificate;

private:
    Task<> accept() {
        for (;;) {
            auto stream = co_await listener_->accept();
            if (!stream) co_return;
            tasks_.spawn("call", serve(std::move(*stream)));
        }
    }
    Task<> serve(std::unique_ptr<net::Stream> stream) {
        const net::HttpHandler handler = [this](codec::HttpRequest request, const net::Peer&) {
            return answer(std::move(request));
        };
        co_await net::serve_http(*stream, clock_, handler);
    }
    Task<codec::HttpResponse> answer(codec::HttpRequest request) {
        const auto call = request.segments().back();
        codec::HttpResponse response;
        response.headers.set("Content-Type", "application/json");
        if (call == "trust-bundle") {
            response.body = json::serialize(json::object{{"certificate", certificate}});
            co_return response;
        }
        const auto body = json::parse(request.body).as_object();
        json::object result;
        if (call == "server") {
            response.status = 201;
            CHECK(body.at("commonName") == "localhost");
            result["privateKey"] = {{"type", "key"}, {"bytes", key_}};
            result["certificate"] = certificate;
            result["expiration"] = format_rfc3339(clock_.wall() + 24h);
        } else if (call == "encrypt") {
            result["ciphertext"] = body.at("plaintext");
        } else if (call == "decrypt") {
            result["plaintext"] = body.at("ciphertext");
        } else {
            result["digest"] = body.at("data");
        }
        response.body = json::serialize(result);
        co_return response;
    }

    net::Network& network_;
    Clock& clock_;
    std::filesystem::path socket_;
    std::string key_;
    std::unique_ptr<net::Listener> listener_;
    TaskScope tasks_;
};

// A link to a cloud that is never there.
class NoCloud final : public CloudLink {
public:
    explicit NoCloud(const Executor& executor) : never_(executor) {}
    Task<Result<>> send(model::Identity, model::SharedMessage) override { co_return away(); }
    Task<> wait_ready(model::Identity) override { co_await never_.wait(); }
    Task<Result<json::object>> get_twin(model::Identity) override { co_return away(); }
    Task<Result<>> report(model::Identity, json::object) override { co_return away(); }
    void set_interests(const model::Identity&, CloudInterests) override {}
    Task<Result<std::vector<iothub::ScopeIdentity>>> scope() override { co_return away(); }
    Task<Result<std::vector<iothub::ScopeIdentity>>> scope_of(model::Identity, std::vector<std::string>) override {
        co_return away();
    }
    Task<Result<>> admit(model::Identity, std::string, WallTime) override { co_return away(); }
    void use_token(const model::Identity&, std::string, WallTime) override {}
    Task<Result<iothub::OnBehalfAnswer>> relay(iothub::OnBehalfCall) override { co_return away(); }
    bool connected() const override { return false; }
    Task<> close() override { co_return; }

private:
    static std::unexpected<Error> away() { return fail(Errc::unreachable, "there is no cloud in this test"); }
    Event never_;
};

// A state folder as an earlier run left it: one identity, one configuration.
Task<> leave_state(const std::filesystem::path& folder, Random& random) {
    const auto same = [](std::string text, std::string) -> Task<Result<std::string>> { co_return text; };
    const auto worker = make_inline_worker();
    std::filesystem::create_directories(folder);
    const auto store = (co_await StateStore::open(folder / "hub.db", *worker, {same, same}, random)).value();
    REQUIRE(
        co_await store->save(StateKind::identity, "leaf1", json::serialize(iothub::to_json(scope_identity("leaf1")))));
    REQUIRE(co_await store->save(
        StateKind::twin, "edge1/$edgeHub",
        R"({"known":true,"reported":{},"desired":{"schemaVersion":"1.0","routes":{},"storeAndForwardConfiguration":{"timeToLiveSecs":60},"$version":1}})"));
}

std::uint16_t free_port(net::Network& network) { return network.listen_tcp("127.0.0.1", 0).value()->port(); }

}  // namespace

TEST_CASE("with an existing state folder the hub serves clients without the cloud, as soon as the daemon is there") {
    Loop loop;
    const auto network = net::make_system_network(loop.executor());
    const auto files = storage::make_system_files();
    SystemClock clock;
    SystemRandom random;
    const sim::TemporaryFolder folder;
    const auto main = [&](Event&) -> Task<int> {
        co_await leave_state(folder / "edgeHub", random);
        const auto port = free_port(*network);
        PaperDaemon daemon(*network, clock, folder / "w.sock", loop.executor());
        Event stop(loop.executor());
        TaskScope scope(loop.executor());
        int status = -1;
        const auto run = [&]() -> Task<> {
            status = co_await run_hub(
                daemonapi::Environment({{"IOTEDGE_DEVICEID", "edge1"},
                                        {"IOTEDGE_MODULEID", "$edgeHub"},
                                        {"IOTEDGE_MODULEGENERATIONID", "7"},
                                        {"IOTEDGE_WORKLOADURI", "unix://" + (folder / "w.sock").string()},
                                        {"IOTEDGE_IOTHUBHOSTNAME", "hub.example.net"},
                                        {"EDGEDEVICEHOSTNAME", "localhost"},
                                        {"StorageFolder", folder.path().string()},
                                        {"SKERRY_LISTEN", "127.0.0.1"},
                                        {"SKERRY_MQTT_PORT", std::to_string(port)},
                                        {"httpSettings__port", "0"},
                                        {"metrics__listener__port", "0"}}),
                Platform{loop.executor(), clock, random, *network, *files},
                [&](const CloudLinkConfig&, CloudListener&) -> Result<std::unique_ptr<CloudLink>> {
                    return std::make_unique<NoCloud>(loop.executor());
                },
                stop);
        };
        scope.spawn("hub", run());
        co_await clock.sleep(20ms);
        daemon.start();

        const auto tls =
            net::TlsClient::create({.trusted_pem = daemon.certificate, .trust_system_store = false}).value();
        auto stream = co_await network->connect_tls("localhost", port, tls);
        for (int i = 0; i < 500 && !stream; ++i) {
            co_await clock.sleep(10ms);
            stream = co_await network->connect_tls("localhost", port, tls);
        }
        REQUIRE(stream.has_value());
        TestHub borrowed(loop.executor());  // for its tokens and its clock
        TestClient client(std::move(*stream), borrowed);
        const auto answer =
            co_await client.handshake(connect_packet("leaf1", borrowed.token("leaf1", key_of("leaf1"))));
        CHECK(answer.code == wire::ConnectCode::accepted);

        stop.set();
        CHECK_FALSE((co_await client.receive()).has_value());
        co_await scope.idle();
        CHECK(status == 0);
        co_await daemon.close();
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}

TEST_CASE("settings that can't be used end the hub with status 1") {
    Loop loop;
    const auto network = net::make_system_network(loop.executor());
    const auto files = storage::make_system_files();
    SystemClock clock;
    SystemRandom random;
    const auto main = [&](Event& stop) -> Task<int> {
        co_return co_await run_hub(daemonapi::Environment({}),
                                   Platform{loop.executor(), clock, random, *network, *files}, {}, stop);
    };
    CHECK(loop.run(main) == 1);
}
