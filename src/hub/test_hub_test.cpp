#include "hub/test_hub.hpp"

#include "base/encoding.hpp"
#include "base/timeout.hpp"
#include "crypto/crypto.hpp"
#include "hub/queue/queue_store.hpp"
#include "iothub/sas.hpp"
#include "model/twin.hpp"
#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <exception>
#include <stdexcept>

namespace skerry::hub::testing {

using namespace std::chrono_literals;
namespace wire = codec::mqtt;
namespace json = boost::json;

std::string key_of(std::string_view id) { return base64_encode("key of " + std::string(id)); }
model::Identity identity(std::string_view id) { return model::Identity::parse(id).value(); }

iothub::ScopeIdentity scope_identity(std::string_view id) {
    iothub::ScopeIdentity known{.identity = identity(id)};
    known.generation_id = "1";
    known.keys = {key_of(id), key_of(std::string(id) + " (secondary)")};
    known.iot_edge = id == edge;
    return known;
}

TestCertificate make_certificate(const crypto::CertificateRequest& request, const TestCertificate* issuer) {
    auto key = crypto::generate_private_key_pem(crypto::KeyKind::p256).value();
    if (!issuer) return {crypto::self_signed_certificate(request, key).value(), key};
    return {crypto::issue_certificate(request, key, issuer->chain, issuer->key).value() + issuer->chain, key};
}

// --- the cloud

namespace {

Error away() { return {Errc::unreachable, "the test has cut the connection"}; }

class PaperLink final : public CloudLink {
public:
    PaperLink(PaperCloud& cloud, const Executor& executor) : cloud_(cloud), online_(executor) {
        cloud_.came_online = [this] { online_.notify(); };
    }
    ~PaperLink() override { cloud_.came_online = nullptr; }

    Task<Result<>> send(model::Identity sender, model::SharedMessage message) override {
        if (!cloud_.online) co_return fail(away());
        if (const auto refused = cloud_.refuses.find(sender.id()); refused != cloud_.refuses.end())
            co_return fail(refused->second, "refused by the test");
        cloud_.received.emplace_back(sender.id(), message->body);
        co_return Result<>{};
    }
    Task<> wait_ready(model::Identity) override {
        while (!cloud_.online) co_await online_.wait();
    }
    Task<Result<json::object>> get_twin(model::Identity identity) override {
        if (!cloud_.online) co_return fail(away());
        const auto found = cloud_.twins.find(identity.id());
        if (found != cloud_.twins.end()) co_return found->second;
        co_return json::object{{"desired", json::object{{"$version", 1}}}, {"reported", json::object{}}};
    }
    Task<Result<>> report(model::Identity identity, json::object patch) override {
        if (!cloud_.online) co_return fail(away());
        (identity.module_id() == "$edgeHub" ? cloud_.own_reports : cloud_.reports).push_back(patch);
        auto& twin = cloud_.twins[identity.id()];
        if (!twin["reported"].is_object()) twin["reported"] = json::object{};
        model::merge_patch(twin["reported"].get_object(), patch);
        co_return Result<>{};
    }
    void set_interests(const model::Identity& identity, CloudInterests interests) override {
        cloud_.interests[identity.id()] = interests;
    }
    Task<Result<std::vector<iothub::ScopeIdentity>>> scope() override {
        if (!cloud_.online || !cloud_.whole) co_return fail(away());
        ++cloud_.refreshes;
        co_return cloud_.identities;
    }
    Task<Result<std::vector<iothub::ScopeIdentity>>> scope_of(model::Identity identity,
                                                              std::vector<std::string> above) override {
        if (!cloud_.online) co_return fail(away());
        ++cloud_.questions;
        cloud_.asked_by[identity.id()] = std::move(above);
        std::vector<iothub::ScopeIdentity> answer;
        bool there = false;
        for (const auto& known : cloud_.identities) {
            const bool is_its_device =
                !known.identity.is_module() && known.identity.device_id() == identity.device_id();
            there = there || known.identity == identity;
            if (known.identity == identity || is_its_device) answer.push_back(known);
        }
        if (!there) co_return fail(Errc::not_found, "no such identity");
        co_return answer;
    }
    Task<Result<>> admit(model::Identity identity, std::string token, WallTime) override {
        if (!cloud_.online) co_return fail(away());
        ++cloud_.tokens_shown;
        const auto key = base64_decode(key_of(identity.id())).value();
        if (cloud_.lets_in.contains(identity.id()) && iothub::is_signed_with(iothub::parse_sas(token).value(), key))
            co_return Result<>{};
        co_return fail(Errc::unauthorized, "refused by the test");
    }
    void use_token(const model::Identity& identity, std::string token, WallTime) override {
        cloud_.tokens_used[identity.id()] = std::move(token);
    }
    Task<Result<iothub::OnBehalfAnswer>> relay(iothub::OnBehalfCall call) override {
        if (!cloud_.online) co_return fail(away());
        cloud_.relayed.push_back(std::move(call));
        co_return cloud_.relay_answer;
    }
    bool connected() const override { return cloud_.online; }
    Task<> close() override { co_return; }

private:
    PaperCloud& cloud_;
    Signal online_;
};

}  // namespace

void PaperCloud::set_desired(std::string_view id, std::string_view text) {
    twins[std::string(id)]["desired"] = json::parse(text);
}

std::vector<std::string> PaperCloud::bodies_of(std::string_view sender) const {
    std::vector<std::string> bodies;
    for (const auto& [id, body] : received)
        if (id == sender) bodies.push_back(body);
    return bodies;
}

// --- the hub

struct TestHub::Folder {
    sim::TemporaryFolder folder;
};

TestHub::TestHub(Executor executor)
    : settings(identity("edge1/$edgeHub")),
      executor_(executor),
      network_(net::make_system_network(executor)),
      files_(storage::make_system_files()),
      folder_(std::make_unique<Folder>()),
      worker_(make_thread_worker("test-state")) {
    settings.hub_host = "hub.example.net";
    settings.edge_host = "localhost";
    settings.folder = folder_->folder.path();
    settings.mqtt.listen_address = "127.0.0.1";
    settings.mqtt.port = 0;
    settings.http.port = 0;
    settings.metrics.address = "127.0.0.1";
    settings.metrics.port = 0;
    settings.reported_sync = 1ms;
    settings.own_report_pause = 1ms;

    const auto server = make_certificate({.common_name = "localhost",
                                          .dns_names = {"localhost"},
                                          .ip_addresses = {"127.0.0.1"},
                                          .server_auth = true,
                                          .not_before = clock.wall() - 1h,
                                          .not_after = clock.wall() + 24h});
    server_tls_ =
        net::TlsServer::create(
            {.certificate_chain_pem = server.chain, .private_key_pem = server.key, .request_client_certificate = true})
            .value();
    server_certificate_ = server.chain;
    authority = make_certificate({.common_name = "Devices of the test",
                                  .is_ca = true,
                                  .not_before = clock.wall() - 1000h,
                                  .not_after = clock.wall() + 1000h});
}

std::shared_ptr<net::TlsClient> TestHub::tls_with(const TestCertificate* certificate) const {
    return net::TlsClient::create({.trusted_pem = server_certificate_,
                                   .trust_system_store = false,
                                   .certificate_chain_pem = certificate ? certificate->chain : std::string(),
                                   .private_key_pem = certificate ? certificate->key : std::string()})
        .value();
}

namespace {
Task<Result<std::string>> reversed(std::string text, std::string) {
    std::ranges::reverse(text);
    co_return text;
}
Task<Result<std::string>> signature(std::string text) { co_return text; }
}  // namespace

TestHub::~TestHub() = default;

Task<> TestHub::start() {
    auto state = co_await StateStore::open(folder_->folder / "hub.db", *worker_, {reversed, reversed}, random_);
    auto queues = co_await QueueStore::open(*files_, folder_->folder / "queue", *worker_, clock, executor_,
                                            {.segment_bytes = 1024 * 1024});
    auto core = Core::create(
        {.settings = settings,
         .platform = {executor_, clock, random_, *network_, *files_},
         .state = std::move(state).value(),
         .queues = std::move(queues).value(),
         .tls = server_tls_,
         .signer = signature,
         .trusted_pem = authority.chain,
         .make_link = [this](const CloudLinkConfig&, CloudListener& listener) -> Result<std::unique_ptr<CloudLink>> {
             cloud.listener = &listener;
             return std::make_unique<PaperLink>(cloud, executor_);
         }});
    core_ = std::move(core).value();
    (co_await core_->start()).value();
    if (cloud.online) go_online();
}

Task<> TestHub::stop() {
    if (!core_) co_return;
    co_await core_->close();
    core_.reset();
}

void TestHub::go_online() {
    cloud.online = true;
    if (cloud.came_online) cloud.came_online();
    cloud.listener->on_connected(settings.own);
    for (const auto& [id, interests] : cloud.interests)
        if (interests.any() && id != settings.own.id()) cloud.listener->on_connected(identity(id));
}

void TestHub::go_offline() {
    cloud.online = false;
    cloud.listener->on_disconnected(settings.own, away());
}

Task<> TestHub::eventually(std::function<bool()> condition) {
    const auto limit = clock.steady() + 10s;
    while (!condition()) {
        REQUIRE_MESSAGE(clock.steady() < limit, "it did not happen within ten seconds");
        co_await clock.sleep(1ms);
    }
}

std::string TestHub::token(std::string_view id, std::string_view key, Duration life) {
    return iothub::make_sas(iothub::resource_of(settings.hub_host, identity(id)), base64_decode(key).value(),
                            clock.wall() + std::chrono::duration_cast<WallTime::duration>(life));
}

Task<codec::HttpResponse> TestHub::ask(codec::HttpRequest request, const TestCertificate* certificate) {
    co_await core_->https().open().wait();
    net::HttpClient client(clock,
                           net::tls_connector(*network_, "localhost", core_->https().port(), tls_with(certificate)), {},
                           "localhost");
    co_return (co_await client.exchange(std::move(request), 10s)).value();
}

Task<codec::HttpResponse> TestHub::ask_plain(std::uint16_t port, codec::HttpRequest request) {
    net::HttpClient client(clock, [this, port] { return network_->connect_tcp("127.0.0.1", port); });
    co_return (co_await client.exchange(std::move(request), 10s)).value();
}

Task<std::unique_ptr<TestClient>> TestHub::dial(const TestCertificate* certificate) {
    auto stream = co_await network_->connect_tls("localhost", core_->mqtt_port(), tls_with(certificate));
    co_return std::make_unique<TestClient>(std::move(stream).value(), *this);
}

Task<std::unique_ptr<TestClient>> TestHub::connect(std::string id, bool clean) {
    auto client = co_await dial();
    const auto answer = co_await client->handshake(connect_packet(id, token(id, key_of(id)), clean));
    REQUIRE(answer.code == wire::ConnectCode::accepted);
    co_return client;
}

// --- a client

wire::Connect connect_packet(std::string_view id, std::string token, bool clean) {
    wire::Connect connect;
    connect.clean_session = clean;
    connect.keep_alive_seconds = 60;
    connect.client_id = id;
    connect.user_name = fmt::format("hub.example.net/{}/?api-version=2021-04-12&DeviceClientType=test", id);
    connect.password = std::move(token);
    return connect;
}

Task<> TestClient::send(wire::Packet packet) {
    std::string bytes;
    wire::encode(packet, bytes);
    co_await send_bytes(std::move(bytes));
}

Task<> TestClient::send_bytes(std::string bytes) { (void)co_await stream_->write(bytes); }

Task<Result<std::optional<wire::Packet>>> TestClient::receive_within() {
    for (;;) {
        auto packet = decoder_.next();
        if (!packet) co_return fail(packet.error());
        if (*packet) co_return std::move(*packet);
        char buffer[4096];
        const auto count = co_await stream_->read_some(buffer);
        if (!count || *count == 0) co_return std::optional<wire::Packet>{};
        decoder_.feed({buffer, *count});
    }
}

Task<std::optional<wire::Packet>> TestClient::receive() {
    co_return (co_await with_timeout<std::optional<wire::Packet>>(hub_.clock, 10s, receive_within())).value();
}

Task<wire::Connack> TestClient::handshake(wire::Connect connect) {
    co_await send(std::move(connect));
    co_return co_await expect<wire::Connack>();
}

Task<> TestClient::publish(std::string topic, std::string payload, wire::PacketId id) {
    co_await send(wire::Publish{.topic = std::move(topic),
                                .payload = std::move(payload),
                                .qos = id == 0 ? wire::QoS::at_most_once : wire::QoS::at_least_once,
                                .id = id});
}

Task<wire::Suback> TestClient::subscribe(std::vector<std::string> filters, wire::QoS qos) {
    wire::Subscribe subscribe{.id = 7, .filters = {}};
    for (auto& filter : filters) subscribe.filters.push_back({std::move(filter), qos});
    co_await send(std::move(subscribe));
    co_return co_await expect<wire::Suback>();
}

// --- running

namespace {
std::string config_with(const std::vector<std::string>& routes) {
    json::object texts;
    for (std::size_t i = 0; i < routes.size(); ++i) texts[fmt::format("route{}", i)] = routes[i];
    json::object desired;
    desired["schemaVersion"] = "1.0";
    desired["routes"] = texts;
    desired["storeAndForwardConfiguration"] = {{"timeToLiveSecs", 7200}};
    desired["$version"] = 1;
    return json::serialize(desired);
}
}  // namespace

void with_hub(const std::function<Task<>(TestHub& hub)>& body, std::vector<std::string> routes) {
    Loop loop;
    TestHub hub(loop.executor());
    for (const auto* id : {"edge1", "edge1/sensor", "edge1/filter", "leaf1"})
        hub.cloud.identities.push_back(scope_identity(id));
    hub.cloud.set_desired("edge1/$edgeHub", config_with(routes));
    const auto main = [&hub, &body](Event&) -> Task<int> {
        // Also a hub whose test has failed is stopped: what the test said must not be lost in a crash behind it.
        std::exception_ptr failure;
        try {
            co_await hub.start();
            co_await hub.eventually([&hub] { return hub.core().serving().is_set(); });
            co_await body(hub);
        } catch (...) { failure = std::current_exception(); }
        co_await hub.stop();
        if (failure) std::rethrow_exception(failure);
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}

TEST_CASE("a test that fails while clients are connected stops its hub all the same" * doctest::should_fail()) {
    with_hub([](TestHub& hub) -> Task<> {
        const auto client = co_await hub.connect("leaf1");
        const auto silent = co_await hub.dial();
        throw std::runtime_error("on purpose");
    });
}

}  // namespace skerry::hub::testing
