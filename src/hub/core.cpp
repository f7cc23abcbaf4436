#include "hub/core.hpp"

#include "base/backoff.hpp"
#include "base/encoding.hpp"
#include "base/log.hpp"
#include "hub/version.hpp"
#include "model/twin.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

namespace skerry::hub {

using namespace std::chrono_literals;
namespace json = boost::json;

Core::Core(CoreParts parts)
    : parts_(std::move(parts)),
      settings_(parts_.settings),
      router_(settings_.durability),
      intake_(router_, *parts_.queues, parts_.platform.random, settings_.own),
      scope_(*parts_.state, parts_.platform.clock, parts_.platform.executor,
             {.refresh = settings_.scope_refresh,
              .ask_again = settings_.scope_refresh_delay,
              .own_device = settings_.own.device_id()}),
      metrics_(parts_.platform.clock,
               label_text({{"iothub", settings_.hub_host},
                           {"edge_device", settings_.own.device_id()},
                           {"instance_number", parts_.platform.random.uuid()}}),
               settings_.metrics.age),
      process_(parts_.platform.files),
      methods_(metrics_, parts_.platform.clock, parts_.platform.random, parts_.platform.executor),
      cloud_to_device_(metrics_, parts_.platform.clock, parts_.platform.executor),
      failed_(parts_.platform.executor),
      serving_(parts_.platform.executor),
      tasks_(parts_.platform.executor) {}

Core::~Core() = default;

Result<std::unique_ptr<Core>> Core::create(CoreParts parts) {
    std::unique_ptr<Core> core(new Core(std::move(parts)));
    if (auto connected = core->connect_parts(); !connected) return fail(connected.error());
    return core;
}

namespace {
CloudLinkConfig link_config(const CoreParts& parts, const Settings& settings) {
    const auto& [executor, clock, random, network, files] = parts.platform;
    return {.executor = executor,
            .clock = clock,
            .random = random,
            .network = network,
            .own = settings.own,
            .hub_host = settings.hub_host,
            .dial_host = settings.dial_host(),
            .mqtt_port = settings.upstream_mqtt_port,
            .https_port = settings.upstream_https_port,
            .trusted_pem = parts.trusted_pem,
            .signer = parts.signer,
            .chain_of = {},
            .client_type = fmt::format("EdgeHub/{}", version),
            .protocol = settings.upstream_protocol,
            .scope_form = settings.nested ? iothub::ScopeForm::nested : iothub::ScopeForm::flat,
            .idle_limit = settings.cloud_idle,
            .most_connections = settings.most_clients + 1};
}
}  // namespace

Result<> Core::connect_parts() {
    auto& [executor, clock, random, network, files] = parts_.platform;
    auto config = link_config(parts_, settings_);
    config.chain_of = [this](const auto& id) { return chain_of(id); };
    auto link = parts_.make_link(std::move(config), *this);
    if (!link) return fail(link.error());
    link_ = std::move(*link);
    twins_ = std::make_unique<Twins>(*parts_.state, *link_, metrics_, clock, random, executor, settings_.reported_sync);
    pumps_ = std::make_unique<Pumps>(*parts_.queues, *link_, metrics_, clock, random, executor, settings_.input_window);
    sessions_ = std::make_unique<Sessions>(SessionServices{intake_, *twins_, methods_, *link_, metrics_},
                                           settings_.most_clients);
    // Where the scope decides there is nothing to remember.
    if (settings_.cache_tokens && settings_.authentication != AuthenticationMode::scope)
        tokens_ = std::make_unique<TokenCache>(*parts_.state, clock, settings_.most_clients);
    authenticator_ =
        std::make_unique<Authenticator>(scope_, *link_, tokens_.get(), metrics_, clock,
                                        Authenticator::Options{.own = settings_.own,
                                                               .hosts = {settings_.hub_host, settings_.edge_host},
                                                               .trusted_pem = parts_.trusted_pem,
                                                               .mode = settings_.authentication,
                                                               .ask_again = settings_.scope_refresh_delay,
                                                               .nested = settings_.nested});
    own_twin_ = std::make_unique<OwnTwin>(settings_.own, *twins_, router_, *pumps_, clock, executor,
                                          settings_.own_report_pause);
    make_heads();

    own_twin_->on_size_limit([this](std::uint64_t bytes) { parts_.queues->set_size_limit(bytes); });
    sessions_->add(*pumps_);
    sessions_->add(methods_);
    sessions_->add(cloud_to_device_);
    sessions_->add(*own_twin_);
    sessions_->add(metrics_);
    sessions_->add(*this);
    intake_.on_upstream([this](const model::Identity& sender) { pumps_->ensure_upstream(sender); });
    intake_.on_unrouted([this](const model::Identity& sender, const model::Message& message) {
        metrics_.received_from(sender).unrouted(message);
    });
    twins_->on_desired([this](const model::Identity& identity, const json::object& patch, std::int64_t patch_version) {
        push_desired(identity, patch, patch_version);
    });
    scope_.on_changed([this](const model::Identity& identity) { identity_changed(identity); });
    return {};
}

void Core::make_heads() {
    auto& [executor, clock, random, network, files] = parts_.platform;
    mqtt_ = std::make_unique<mqtt::Listener>(
        mqtt::Services{*authenticator_, *sessions_, *parts_.state, clock, executor, settings_.mqtt, {}, nullptr},
        settings_.most_clients);
    http_ = std::make_unique<http::Head>(
        http::Services{.authenticator = *authenticator_,
                       .sessions = *sessions_,
                       .methods = methods_,
                       .scope = scope_,
                       .link = *link_,
                       .clock = clock,
                       .own = settings_.own,
                       .api_proxy = settings_.api_proxy,
                       .nested = settings_.nested,
                       .metrics_page = [this](const codec::HttpRequest& request) { return metrics_page(request); }});
    const auto answer = [this](codec::HttpRequest request, const net::Peer& peer) {
        return http_->handle(std::move(request), peer);
    };
    const auto answer_metrics = [this](codec::HttpRequest request, const net::Peer&) -> Task<codec::HttpResponse> {
        if (request.raw_path() == "/" + settings_.metrics.suffix) co_return metrics_page(request);
        co_return codec::HttpResponse{.status = 404, .body = "the metrics are at /" + settings_.metrics.suffix};
    };
    https_ = std::make_unique<net::HttpListener>(network, clock, executor, answer);
    metrics_listener_ = std::make_unique<net::HttpListener>(network, clock, executor, answer_metrics);
}

codec::HttpResponse Core::metrics_page(const codec::HttpRequest& request) const {
    codec::HttpResponse response;
    response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    if (request.method != "GET" && request.method != "HEAD")
        response.status = 405;
    else if (settings_.metrics.enabled)
        response.body = metrics_.text(*parts_.queues, sessions_->size(), process_.status());
    else
        response.status = 404;
    return response;
}

Task<Result<>> Core::start() {
    if (auto loaded = co_await scope_.load(); !loaded) co_return fail(loaded.error());
    if (auto loaded = co_await load_tokens(); !loaded) co_return fail(loaded.error());
    co_await twins_->load();
    pumps_->start(*sessions_);
    co_await own_twin_->apply();

    // From here on the cloud is asked, in the background.
    link_->set_interests(settings_.own, {.desired = true, .methods = true});
    tasks_.spawn("device scope", scope_.keep_fresh(*link_));
    tasks_.spawn("own twin", own_twin_->run());
    tasks_.spawn("configuration refresh", refresh_config());
    tasks_.spawn("session watch", tick());

    if (own_twin_->configured().is_set()) co_return open_heads();
    log::info("Waiting for a first configuration from the cloud");
    tasks_.spawn("first configuration", open_heads_when_configured());
    co_return Result<>{};
}

Task<Result<>> Core::load_tokens() {
    if (!tokens_) co_return Result<>{};
    co_return co_await tokens_->load([this](const model::Identity& identity, const std::string& token,
                                            WallTime expires) { link_->use_token(identity, token, expires); });
}

Task<> Core::open_heads_when_configured() {
    co_await own_twin_->configured().wait();
    if (auto opened = open_heads(); !opened) {
        failure_ = opened.error();
        failed_.set();
    }
}

Result<> Core::open_heads() {
    if (auto opened = open_mqtt(); !opened) return opened;
    const auto& address = settings_.mqtt.listen_address;
    if (settings_.http.enabled) https_->start({"HTTP head", address, settings_.http.port, parts_.tls});
    if (const auto& metrics = settings_.metrics; metrics.enabled)
        metrics_listener_->start({"metrics", metrics.address, metrics.port, nullptr, 16});
    serving_.set();
    return {};
}

Result<> Core::open_mqtt() {
    log::info("Starting MQTT head");
    const auto& mqtt = settings_.mqtt;
    auto listener = parts_.platform.network.listen_tls(mqtt.listen_address, mqtt.port, parts_.tls);
    if (!listener) return fail(listener.error().while_doing(fmt::format("listening on port {} for MQTT", mqtt.port)));
    mqtt_port_ = (*listener)->port();
    mqtt_->serve(std::move(*listener));
    if (mqtt.plain_listen) {
        const auto& [host, port] = *mqtt.plain_listen;
        auto plain = parts_.platform.network.listen_tcp(host, port);
        if (!plain) return fail(plain.error().while_doing("listening at SKERRY_MQTT_PLAIN_LISTEN"));
        log::warn("MQTT without TLS is served on {}:{} (SKERRY_MQTT_PLAIN_LISTEN)", host, (*plain)->port());
        mqtt_->serve(std::move(*plain));
    }
    log::info("Started MQTT head on port {}", mqtt_port_);
    return {};
}

Task<> Core::close() {
    co_await metrics_listener_->close();
    co_await https_->close();
    co_await mqtt_->close();
    co_await tasks_.close();
    co_await pumps_->close();
    co_await twins_->close();
    co_await link_->close();
    co_await parts_.queues->close();
}

// --- background

// Tokens and certificates run out while their clients are connected.
Task<> Core::tick() {
    for (;;) {
        co_await parts_.platform.clock.sleep(10s);
        metrics_.tick();
        const auto now = parts_.platform.clock.wall();
        sessions_->close_where([now](const Session& session) -> std::optional<std::string> {
            if (session.admission().expires > now) return std::nullopt;
            return fmt::format("its {} has expired", name_of(session.admission().proof));
        });
    }
}

Task<> Core::refresh_config() {
    for (;;) {
        co_await parts_.platform.clock.sleep(settings_.config_refresh);
        if (connected_) co_await resync(settings_.own);
    }
}

Task<> Core::resync(model::Identity identity) {
    const bool own = identity == settings_.own;
    Backoff backoff(parts_.platform.random, 1s, 1min);
    // Without its own twin the hub may have no configuration: it keeps asking.
    while (!co_await twins_->resync(identity)) {
        if (!own || !connected_) co_return;
        co_await parts_.platform.clock.sleep(backoff.next());
    }
    if (own) own_twin_->changed(true);
}

void Core::identity_changed(const model::Identity& identity) {
    sessions_->close_where([this, &identity](const Session& session) -> std::optional<std::string> {
        const auto& id = session.identity();
        if (!depends_on(id, session.admission(), identity)) return std::nullopt;
        const auto valid = authenticator_->still_valid(id, session.admission());
        if (valid) return std::nullopt;
        return "its identity has changed: " + valid.error().text;
    });
    if (scope_.find(identity)) return;
    own_twin_->identity_gone(identity);
    tasks_.spawn("forgetting subscriptions", forget_subscriptions(identity));
}

Task<> Core::forget_subscriptions(model::Identity identity) {
    if (auto removed = co_await parts_.state->remove(StateKind::subscriptions, identity.id()); !removed)
        log::warn("The stored subscriptions of {} can't be removed: {}", identity.id(), removed.error().text);
}

// What the scope does not know yet stands directly below this device.
std::vector<std::string> Core::chain_of(const model::Identity& identity) const {
    auto chain = scope_.chain_of(identity);
    if (chain.empty()) chain = {identity.id(), settings_.own.device_id()};
    return chain;
}

void Core::session_ended(Session& session) { twins_->release(session.identity()); }

// --- what the cloud says

Task<> Core::on_desired(model::Identity identity, json::object patch) {
    co_await twins_->desired_arrived(std::move(identity), std::move(patch));
}

void Core::push_desired(const model::Identity& identity, const json::object& patch, std::int64_t patch_version) {
    if (identity == settings_.own) {
        own_twin_->changed(true);
        return;
    }
    auto* const session = sessions_->find(identity);
    if (session && session->interests().desired) session->channel().push_desired(patch, patch_version);
}

namespace {
iothub::MethodResponse refused_method(int status, std::string why) {
    return {status, json::serialize(json::object{{"message", std::move(why)}})};
}

iothub::MethodResponse failed_method(const Error& error) {
    return refused_method(error.code == Errc::not_found ? 404 : error.code == Errc::full ? 429 : 504, error.text);
}
}  // namespace

Task<iothub::MethodResponse> Core::on_method(model::Identity identity, iothub::MethodRequest request) {
    if (identity == settings_.own) co_return co_await own_method(std::move(request));
    auto response = co_await methods_.invoke(*sessions_, "upstream", std::move(identity), std::move(request), {});
    if (response) co_return std::move(*response);
    co_return failed_method(response.error());
}

Task<iothub::MethodResponse> Core::own_method(iothub::MethodRequest request) {
    if (!equals_ignoring_case(request.method, "RefreshDeviceScopeIdentityCache"))
        co_return failed_method({Errc::not_found, fmt::format("the hub has no method '{}'", request.method)});
    const auto payload = model::parse_object(request.payload);
    const auto* const ids = payload ? payload->if_contains("deviceIds") : nullptr;
    if (!ids || !ids->is_array()) co_return refused_method(400, R"(the payload must be {"deviceIds":[…]})");
    std::vector<model::Identity> identities;
    for (const auto& id : ids->get_array()) {
        auto identity = id.is_string() ? model::Identity::parse(std::string_view(id.get_string()))
                                       : Result<model::Identity>(fail(Errc::malformed, "it is no text"));
        if (!identity)
            co_return refused_method(400, fmt::format("deviceIds: {}: {}", json::serialize(id), identity.error().text));
        identities.push_back(std::move(*identity));
    }
    std::string missed;
    for (const auto& identity : identities)
        if (!co_await scope_.ask_about(identity, *link_, {.at_once = true})) missed += ' ' + identity.id();
    if (!missed.empty()) co_return refused_method(500, "the cloud could not be asked about" + missed);
    co_return iothub::MethodResponse{200, ""};
}

Task<Result<>> Core::on_cloud_to_device(model::Identity device, model::Message message) {
    return cloud_to_device_.pass_on(*sessions_, std::move(device), std::move(message));
}

void Core::on_connected(const model::Identity& identity) {
    metrics_.upstream_back(identity);
    if (identity == settings_.own) {
        if (!std::exchange(connected_, true)) log::info("Entering connected state");
        scope_.refresh_soon();
        authenticator_->reachable_again();
    }
    const auto* const session = sessions_->find(identity);
    if (identity == settings_.own || (session && session->interests().desired))
        tasks_.spawn("twin of " + identity.id(), resync(identity));
}

void Core::on_disconnected(const model::Identity& identity, const Error& why) {
    metrics_.upstream_lost(identity);
    if (identity != settings_.own) return;
    if (std::exchange(connected_, false))
        log::info("Entering unreachable state: {}", why.text);
    else
        log::debug("The cloud is not reachable: {}", why.text);
}

void Core::on_refused(const model::Identity& identity) {
    if (identity == settings_.own) return;
    sessions_->close_where([&identity](const Session& session) -> std::optional<std::string> {
        const bool by_its_word = std::holds_alternative<CloudsWord>(session.admission().proof);
        if (session.identity() != identity || !by_its_word) return std::nullopt;
        return "the cloud lets it in no more";
    });
    tasks_.spawn("asking why " + identity.id() + " is refused", look_again(identity));
}

// What has changed closes the sessions that depend on it. Who is connected is worth more than a question per minute.
Task<> Core::look_again(model::Identity identity) {
    const bool connected = sessions_->find(identity) != nullptr;
    (void)co_await scope_.ask_about(std::move(identity), *link_, {.at_once = connected});
}

}  // namespace skerry::hub
