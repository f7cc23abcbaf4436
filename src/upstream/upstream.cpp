#include "upstream/upstream.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "base/timeout.hpp"
#include "hub/turn.hpp"
#include "upstream/ways.hpp"

#include <algorithm>
#include <map>

namespace skerry::upstream {

using namespace std::chrono_literals;

namespace {

constexpr Duration relay_limit = 20s;

Error no_room() { return {Errc::full, "as many connections to the cloud as allowed are in use"}; }

// Outputs, operations and expiries are between a client and its hub: the cloud never hears of them (edge-hub.md 7.2).
model::SharedMessage as_forwarded(model::SharedMessage message) {
    const auto stays = [](const auto& property) {
        return property.name == "outputName" || property.name == "operation" || property.name == "absolute-expiry-time";
    };
    if (std::ranges::none_of(message->system, stays)) return message;
    auto forwarded = std::make_shared<model::Message>(*message);
    forwarded->system.erase_if(stays);
    return forwarded;
}

class Link final : public hub::CloudLink {
public:
    Link(hub::CloudLinkConfig config, hub::CloudListener& listener, std::shared_ptr<net::TlsClient> tls)
        : config_(std::move(config)),
          listener_(listener),
          tls_(std::move(tls)),
          credentials_(
              std::make_shared<iothub::Credentials>(config_.hub_host, config_.own, config_.signer, config_.clock)),
          registry_(make_http(), credentials_, config_.own.device_id(), config_.scope_form),
          registry_turn_(config_.executor),
          relay_(make_http(), credentials_, config_.own.device_id()),
          relay_turn_(config_.executor),
          // The hub's own connection comes on top of its clients'.
          ways_([this](const model::Identity& identity) { return make_client(identity); }, config_.clock,
                config_.executor, config_.most_connections, config_.idle_limit),
          tasks_(config_.executor) {
        tasks_.spawn("idle upstream connections", close_idle());
    }

    Task<Result<>> send(model::Identity sender, model::SharedMessage message) override {
        const auto way = ways_.open(sender);
        if (!way) co_return fail(no_room());
        const InUse use(way, config_.clock);
        co_return co_await way->client->send(as_forwarded(std::move(message)));
    }

    Task<> wait_ready(model::Identity sender) override {
        // While the cloud is away nobody but the hub itself knocks.
        const auto own = ways_.open(config_.own);
        if (own) {
            const InUse use(own, config_.clock);
            co_await own->client->wait_connected();
        }
        const auto way = ways_.open(sender);
        if (!way) {
            co_await config_.clock.sleep(1s);
            co_return;
        }
        const InUse use(way, config_.clock);
        // A sender that is refused, not unreachable, would wait for ever: send() then tells why.
        (void)co_await with_timeout<void>(config_.clock, 30s, connection_of(way));
    }

    Task<Result<boost::json::object>> get_twin(model::Identity identity) override {
        const auto way = ways_.open(identity);
        if (!way) co_return fail(no_room());
        const InUse use(way, config_.clock);
        // A connection that is just being opened is worth a short wait; one that can't be opened is not.
        if (!way->client->connected() && connected())
            (void)co_await with_timeout<void>(config_.clock, 5s, connection_of(way));
        co_return co_await way->client->get_twin();
    }

    Task<Result<>> report(model::Identity identity, boost::json::object patch) override {
        const auto way = ways_.open(identity);
        if (!way) co_return fail(no_room());
        const InUse use(way, config_.clock);
        co_return co_await way->client->report(std::move(patch));
    }

    void set_interests(const model::Identity& identity, hub::CloudInterests interests) override {
        const auto way = interests.any() ? ways_.open(identity) : ways_.find(identity);
        if (!way) {
            if (interests.any()) log::warn("{} gets no updates from the cloud: {}", identity.id(), no_room().text);
            return;
        }
        way->wanted = interests.any();
        way->client->take_commands(interests.cloud_to_device);
        way->last_used = config_.clock.steady();
    }

    Task<Result<std::vector<iothub::ScopeIdentity>>> scope() override {
        const auto turn = co_await registry_turn_.take();
        co_return co_await registry_.scope();
    }

    Task<Result<std::vector<iothub::ScopeIdentity>>> scope_of(model::Identity identity,
                                                              std::vector<std::string> above) override {
        const auto turn = co_await registry_turn_.take();
        co_return co_await registry_.scope_of(identity, above);
    }

    Task<Result<>> admit(model::Identity identity, std::string token, WallTime expires) override {
        if (const auto known = own_tokens_.find(identity); known != own_tokens_.end() && known->second.text == token) {
            const auto way = ways_.find(identity);
            if (way && way->client->connected()) co_return Result<>{};
        }
        if (!co_await is_reachable()) co_return fail(Errc::unreachable, "the cloud can't be reached");
        drop_expired_tokens();
        if (own_tokens_.size() >= config_.most_connections && !own_tokens_.contains(identity))
            co_return fail(no_room());
        // On trial beside the way that there may be: a stranger's token must not cut off who is connected.
        OwnToken own{.text = token,
                     .credentials = std::make_shared<iothub::Credentials>(config_.hub_host, identity, std::move(token),
                                                                          expires, config_.clock)};
        const auto on_trial = std::make_shared<bool>(true);
        auto client = make_client(identity, own.credentials, on_trial);
        client->start();
        const auto tried = co_await with_timeout<void>(config_.clock, 20s, attempt_of(*client));
        if (!client->connected()) {
            const auto* const error = client->last_error();
            auto why = !tried || !error ? Error{Errc::timeout, "the cloud gave no answer"} : *error;
            co_await client->close();
            co_return fail(std::move(why));
        }
        *on_trial = false;
        if (!ways_.put(identity, std::move(client))) co_return fail(no_room());
        own_tokens_.insert_or_assign(identity, std::move(own));
        listener_.on_connected(identity);
        co_return Result<>{};
    }

    void use_token(const model::Identity& identity, std::string token, WallTime expires) override {
        drop_expired_tokens();
        if (own_tokens_.size() >= config_.most_connections && !own_tokens_.contains(identity)) return;
        OwnToken own{.text = token,
                     .credentials = std::make_shared<iothub::Credentials>(config_.hub_host, identity, std::move(token),
                                                                          expires, config_.clock)};
        own_tokens_.insert_or_assign(identity, std::move(own));
    }

    Task<Result<iothub::OnBehalfAnswer>> relay(iothub::OnBehalfCall call) override {
        if (!co_await is_reachable()) co_return fail(Errc::unreachable, "the cloud can't be reached");
        co_return co_await with_timeout<iothub::OnBehalfAnswer>(config_.clock, relay_limit,
                                                                relay_in_turn(std::move(call)));
    }

    bool connected() const override {
        const auto own = ways_.find(config_.own);
        return own && own->client->connected();
    }

    Task<> close() override {
        co_await tasks_.close();
        // Each says goodbye within a second. None may be left behind: its handlers ask the hub, which goes next.
        co_await ways_.close();
    }

private:
    std::unique_ptr<net::HttpClient> make_http() const {
        return std::make_unique<net::HttpClient>(
            config_.clock, net::tls_connector(config_.network, config_.dial_host, config_.https_port, tls_),
            codec::HttpLimits{}, config_.dial_host);
    }

    // A connection that is just being opened is worth a short wait.
    Task<bool> is_reachable() {
        if (connected()) co_return true;
        const auto hub = ways_.open(config_.own);
        if (!hub) co_return false;
        const auto opened = co_await with_timeout<void>(config_.clock, 5s, connection_of(hub));
        co_return opened.has_value();
    }

    Task<Result<iothub::OnBehalfAnswer>> relay_in_turn(iothub::OnBehalfCall call) {
        const auto turn = co_await relay_turn_.take();
        co_return co_await relay_.on_behalf(std::move(call), relay_limit);
    }

    static Task<Result<>> connection_of(std::shared_ptr<Way> way) {
        co_await way->client->wait_connected();
        co_return Result<>{};
    }

    static Task<Result<>> attempt_of(iothub::DeviceClient& client) {
        co_await client.wait_attempt();
        co_return Result<>{};
    }

    void drop_expired_tokens() {
        const auto now = config_.clock.steady();
        std::erase_if(own_tokens_, [now](const auto& entry) { return entry.second.credentials->expires() <= now; });
    }

    Task<> close_idle() {
        for (;;) {
            co_await config_.clock.sleep(std::min<Duration>(config_.idle_limit, 1min));
            ways_.close_idle();
            drop_expired_tokens();
        }
    }

    // With the token of the client itself where the cloud was shown one, else on its behalf.
    std::unique_ptr<iothub::DeviceClient> make_client(const model::Identity& identity) {
        const auto own = own_tokens_.find(identity);
        return make_client(identity, own == own_tokens_.end() ? credentials_ : own->second.credentials,
                           std::make_shared<bool>(false));
    }

    // Every connection listens for desired properties and methods: the stored twin stays fresh, and a method for a
    // client that is not there gets an answer that says so. While `on_trial` nobody hears of it.
    std::unique_ptr<iothub::DeviceClient> make_client(const model::Identity& identity,
                                                      std::shared_ptr<iothub::Credentials> credentials,
                                                      std::shared_ptr<bool> on_trial) {
        iothub::DeviceClientOptions options{.dial_host = config_.dial_host,
                                            .port = config_.mqtt_port,
                                            .tls = tls_,
                                            .identity = identity,
                                            .client_type = config_.client_type};
        if (identity != config_.own && credentials == credentials_) options.auth_chain = config_.chain_of(identity);
        iothub::DeviceClientHandlers handlers{
            .on_desired = [this, identity](
                              boost::json::object patch) { return listener_.on_desired(identity, std::move(patch)); },
            .on_method =
                [this, identity](iothub::MethodRequest request) {
                    return listener_.on_method(identity, std::move(request));
                },
            .on_connected =
                [this, identity, on_trial] {
                    if (!*on_trial) listener_.on_connected(identity);
                },
            .on_disconnected =
                [this, identity, on_trial](const Error& why) {
                    if (!*on_trial) listener_.on_disconnected(identity, why);
                },
            .on_refused =
                [this, identity, on_trial] {
                    if (!*on_trial) listener_.on_refused(identity);
                },
        };
        // The cloud would count every delivery to a device that is not there: it is asked for messages only while one
        // wants them. For modules it has none.
        if (!identity.is_module())
            handlers.on_cloud_to_device = [this, identity](model::Message message) {
                return listener_.on_cloud_to_device(identity, std::move(message));
            };
        auto client =
            std::make_unique<iothub::DeviceClient>(std::move(options), std::move(handlers), std::move(credentials),
                                                   config_.network, config_.clock, config_.random, config_.executor);
        client->take_commands(false);
        return client;
    }

    // A token that the cloud has accepted from a client itself.
    struct OwnToken {
        std::string text;
        std::shared_ptr<iothub::Credentials> credentials;  // shared with the client that uses it
    };

    hub::CloudLinkConfig config_;
    hub::CloudListener& listener_;
    std::shared_ptr<net::TlsClient> tls_;
    std::shared_ptr<iothub::Credentials> credentials_;
    iothub::RegistryClient registry_;
    hub::Turn registry_turn_;
    // Of its own: a refresh of the scope must not hold up those below.
    iothub::RegistryClient relay_;
    hub::Turn relay_turn_;
    std::map<model::Identity, OwnToken> own_tokens_;  // as many as connections at most
    Ways ways_;
    TaskScope tasks_;
};

// One warning, so that nobody looks for AMQP traffic that is not there.
void tell_protocol(const std::string& protocol) {
    if (protocol.empty() || equals_ignoring_case(protocol, "Mqtt")) return;
    log::warn("UpstreamProtocol is '{}'; this hub speaks MQTT to the cloud, on port 8883", protocol);
}

}  // namespace

Result<std::unique_ptr<hub::CloudLink>> make_link(hub::CloudLinkConfig config, hub::CloudListener& listener) {
    tell_protocol(config.protocol);
    auto tls = net::TlsClient::create({.trusted_pem = config.trusted_pem});
    if (!tls) return fail(tls.error().while_doing("preparing TLS towards the cloud"));
    return std::make_unique<Link>(std::move(config), listener, std::move(*tls));
}

}  // namespace skerry::upstream
