// The hub without its process: everything between the stores and the protocol heads, wired together.
//
// Promises: start() returns when clients are served, or wait for a first configuration; it never waits for the cloud.
// Threads:  the loop's.
#pragma once

#include "base/task_scope.hpp"
#include "hub/authenticator.hpp"
#include "hub/cloud_to_device.hpp"
#include "hub/http/head.hpp"
#include "hub/intake.hpp"
#include "hub/methods.hpp"
#include "hub/metrics/metrics.hpp"
#include "hub/mqtt/listener.hpp"
#include "hub/own_twin.hpp"
#include "hub/pumps.hpp"
#include "hub/scope.hpp"
#include "hub/sessions.hpp"
#include "hub/settings.hpp"
#include "hub/state_store.hpp"
#include "hub/token_cache.hpp"
#include "hub/twins.hpp"
#include "metrics/process.hpp"
#include "net/http_listener.hpp"
#include "platform/platform.hpp"

#include <memory>

namespace skerry::hub {

// What the core is made of.
struct CoreParts {
    Settings settings;
    Platform platform;
    std::unique_ptr<StateStore> state;
    std::unique_ptr<QueueStore> queues;
    std::shared_ptr<net::TlsServer> tls;
    iothub::Signer signer;
    std::string trusted_pem;
    CloudLinkFactory make_link;
};

class Core final : private CloudListener, private SessionObserver {
public:
    [[nodiscard]] static Result<std::unique_ptr<Core>> create(CoreParts parts);
    ~Core() override;

    [[nodiscard]] Task<Result<>> start();
    [[nodiscard]] Task<> close();

    // Why the core can't go on (a port is taken), once failed() is set.
    [[nodiscard]] Event& failed() { return failed_; }
    [[nodiscard]] const Error& failure() const { return failure_; }

    // Once the MQTT head is open.
    [[nodiscard]] Event& serving() { return serving_; }
    [[nodiscard]] std::uint16_t mqtt_port() const { return mqtt_port_; }
    // Comes after the MQTT head, and may come much later when its port is taken.
    [[nodiscard]] net::HttpListener& https() { return *https_; }
    [[nodiscard]] net::HttpListener& metrics() { return *metrics_listener_; }

private:
    explicit Core(CoreParts parts);
    [[nodiscard]] Result<> connect_parts();
    void make_heads();
    [[nodiscard]] codec::HttpResponse metrics_page(const codec::HttpRequest& request) const;

    [[nodiscard]] Task<Result<>> load_tokens();
    [[nodiscard]] Result<> open_heads();
    [[nodiscard]] Result<> open_mqtt();
    [[nodiscard]] Task<> open_heads_when_configured();
    [[nodiscard]] Task<> tick();
    [[nodiscard]] Task<> refresh_config();
    [[nodiscard]] Task<> resync(model::Identity identity);
    [[nodiscard]] Task<> forget_subscriptions(model::Identity identity);
    [[nodiscard]] Task<iothub::MethodResponse> own_method(iothub::MethodRequest request);
    void identity_changed(const model::Identity& identity);
    [[nodiscard]] Task<> look_again(model::Identity identity);
    [[nodiscard]] std::vector<std::string> chain_of(const model::Identity& identity) const;
    void push_desired(const model::Identity& identity, const boost::json::object& patch, std::int64_t version);

    [[nodiscard]] Task<> on_desired(model::Identity identity, boost::json::object patch) override;
    [[nodiscard]] Task<iothub::MethodResponse> on_method(model::Identity identity,
                                                         iothub::MethodRequest request) override;
    [[nodiscard]] Task<Result<>> on_cloud_to_device(model::Identity device, model::Message message) override;
    void on_connected(const model::Identity& identity) override;
    void on_disconnected(const model::Identity& identity, const Error& why) override;
    void on_refused(const model::Identity& identity) override;
    void session_ended(Session& session) override;

    CoreParts parts_;
    Settings& settings_;
    Router router_;
    Intake intake_;
    Scope scope_;
    Metrics metrics_;
    metrics::Process process_;
    Methods methods_;
    CloudToDevice cloud_to_device_;
    std::unique_ptr<CloudLink> link_;
    std::unique_ptr<Twins> twins_;
    std::unique_ptr<Pumps> pumps_;
    std::unique_ptr<Sessions> sessions_;
    std::unique_ptr<TokenCache> tokens_;  // where CacheTokens is set
    std::unique_ptr<Authenticator> authenticator_;
    std::unique_ptr<OwnTwin> own_twin_;
    std::unique_ptr<mqtt::Listener> mqtt_;
    std::unique_ptr<http::Head> http_;
    std::unique_ptr<net::HttpListener> https_;
    std::unique_ptr<net::HttpListener> metrics_listener_;

    bool connected_{false};
    std::uint16_t mqtt_port_{0};
    Error failure_;
    Event failed_;
    Event serving_;
    TaskScope tasks_;
};

}  // namespace skerry::hub
