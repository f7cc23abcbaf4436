// A whole hub in one process for tests: real TLS on loopback, a real state folder, a cloud of paper, and raw MQTT
// clients.
#pragma once

#include "base/loop.hpp"
#include "codec/mqtt.hpp"
#include "crypto/crypto.hpp"
#include "hub/core.hpp"

#include <boost/json/object.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace skerry::hub::testing {

inline constexpr std::string_view edge = "edge1";
[[nodiscard]] std::string key_of(std::string_view id);  // base64
[[nodiscard]] model::Identity identity(std::string_view id);
[[nodiscard]] iothub::ScopeIdentity scope_identity(std::string_view id);

// A certificate with what leads to its root, and its key; PEM.
struct TestCertificate {
    std::string chain;
    std::string key;
};
// A new key and a certificate for it, signed by `issuer`, or by itself.
[[nodiscard]] TestCertificate make_certificate(const crypto::CertificateRequest& request,
                                               const TestCertificate* issuer = nullptr);

// What the cloud knows and was told. Survives restarts of the hub.
struct PaperCloud {
    bool online{true};
    std::vector<std::pair<std::string, std::string>> received;  // sender and body, in the order of arrival
    std::map<std::string, boost::json::object> twins;           // {"desired","reported"}
    std::vector<boost::json::object> reports;                   // of others than the hub
    std::vector<boost::json::object> own_reports;
    std::vector<iothub::ScopeIdentity> identities;
    std::map<std::string, Errc> refuses;  // messages of these senders
    std::map<std::string, CloudInterests> interests;
    int questions{0};                                          // scope_of calls
    std::map<std::string, std::vector<std::string>> asked_by;  // the last question about each: by which chain
    int refreshes{0};                                          // scope calls
    bool whole{true};                                          // whether scope calls are answered
    std::set<std::string> lets_in;                             // by their own tokens, signed with key_of()
    int tokens_shown{0};
    std::map<std::string, std::string> tokens_used;  // without being asked about
    std::vector<iothub::OnBehalfCall> relayed;
    iothub::OnBehalfAnswer relay_answer{200, "{}", ""};
    CloudListener* listener{nullptr};
    std::function<void()> came_online;

    void set_desired(std::string_view id, std::string_view json);
    [[nodiscard]] std::vector<std::string> bodies_of(std::string_view sender) const;
};

class TestClient;

class TestHub {
public:
    explicit TestHub(Executor executor);
    ~TestHub();

    // Starts (again) on the same state folder.
    [[nodiscard]] Task<> start();
    [[nodiscard]] Task<> stop();
    void go_online();
    void go_offline();

    // With a client certificate, when one is given.
    [[nodiscard]] Task<std::unique_ptr<TestClient>> dial(const TestCertificate* certificate = nullptr);
    // Connects with a good token; `clean` session.
    [[nodiscard]] Task<std::unique_ptr<TestClient>> connect(std::string id, bool clean = true);
    [[nodiscard]] std::string token(std::string_view id, std::string_view key, Duration life = std::chrono::hours(1));

    // One exchange with the HTTP head.
    [[nodiscard]] Task<codec::HttpResponse> ask(codec::HttpRequest request,
                                                const TestCertificate* certificate = nullptr);
    // One exchange with a port without TLS.
    [[nodiscard]] Task<codec::HttpResponse> ask_plain(std::uint16_t port, codec::HttpRequest request);

    // Waits until `condition` holds; fails the test after ten seconds.
    [[nodiscard]] Task<> eventually(std::function<bool()> condition);

    Core& core() { return *core_; }
    PaperCloud cloud;
    Settings settings;
    SystemClock clock;
    TestCertificate authority;  // the trust bundle: whose devices are let in

private:
    friend class TestClient;
    [[nodiscard]] std::shared_ptr<net::TlsClient> tls_with(const TestCertificate* certificate) const;
    Executor executor_;
    SystemRandom random_;
    std::unique_ptr<net::Network> network_;
    std::unique_ptr<storage::Files> files_;
    struct Folder;
    std::unique_ptr<Folder> folder_;
    std::unique_ptr<Worker> worker_;
    std::shared_ptr<net::TlsServer> server_tls_;
    std::string server_certificate_;
    std::unique_ptr<Core> core_;
};

// Speaks packets, checks nothing by itself.
class TestClient {
public:
    TestClient(std::unique_ptr<net::Stream> stream, TestHub& hub) : stream_(std::move(stream)), hub_(hub) {}

    [[nodiscard]] Task<> send(codec::mqtt::Packet packet);
    [[nodiscard]] Task<> send_bytes(std::string bytes);
    // The next packet; nullopt when the hub closed the connection. Fails the test after ten seconds.
    [[nodiscard]] Task<std::optional<codec::mqtt::Packet>> receive();
    template <class T>
    [[nodiscard]] Task<T> expect() {
        auto packet = co_await receive();
        if (!packet || !std::holds_alternative<T>(*packet)) throw std::runtime_error("another packet was expected");
        co_return std::get<T>(std::move(*packet));
    }
    [[nodiscard]] Task<codec::mqtt::Connack> handshake(codec::mqtt::Connect connect);
    [[nodiscard]] Task<> publish(std::string topic, std::string payload, codec::mqtt::PacketId id = 1);
    [[nodiscard]] Task<codec::mqtt::Suback> subscribe(std::vector<std::string> filters,
                                                      codec::mqtt::QoS qos = codec::mqtt::QoS::at_least_once);
    void drop() { stream_->close(); }

private:
    [[nodiscard]] Task<Result<std::optional<codec::mqtt::Packet>>> receive_within();
    std::unique_ptr<net::Stream> stream_;
    TestHub& hub_;
    codec::mqtt::Decoder decoder_;
};

[[nodiscard]] codec::mqtt::Connect connect_packet(std::string_view id, std::string token, bool clean = true);

// Runs a test against a started hub whose twin has these routes.
void with_hub(const std::function<Task<>(TestHub& hub)>& body, std::vector<std::string> routes = {});

}  // namespace skerry::hub::testing
