#include "cloud/cloud.hpp"

#include "base/log.hpp"
#include "base/task_scope.hpp"
#include "base/worker.hpp"
#include "cloud/admin.hpp"
#include "cloud/certificates.hpp"
#include "cloud/mqtt/session.hpp"
#include "crypto/crypto.hpp"
#include "net/http.hpp"

#include <fmt/format.h>

namespace skerry::cloud {

namespace {
constexpr std::size_t most_connections = 4096;

std::unique_ptr<Worker> make_worker(const Options& options, std::string name) {
    return options.inline_work ? make_inline_worker() : make_thread_worker(std::move(name));
}

// An admin socket that answers belongs to a running cloud: two on one folder would destroy each other's state.
Task<Result<>> check_alone(const Options& options, net::Network& network) {
    const auto path = options.data / admin_socket_file;
    auto other = co_await network.connect_unix(path);
    if (!other) co_return Result<>{};
    (*other)->close();
    co_return fail(Errc::conflict, fmt::format("another cloud runs on '{}'; stop it, or give --data another folder",
                                               options.data.native()));
}

// Whose certificates count: they must be readable now, not when the first device comes.
Result<std::string> read_authorities(storage::Files& files, const std::filesystem::path& file) {
    if (file.empty()) return std::string();
    auto text = storage::read_file(files, file);
    if (!text) return fail(text.error().while_doing("reading --device-ca"));
    const auto certificates = crypto::split_certificates(*text);
    if (!certificates) return fail(certificates.error().while_doing("reading --device-ca"));
    if (certificates->empty())
        return fail(Errc::malformed,
                    fmt::format("--device-ca: '{}' holds no certificate in PEM format", file.native()));
    return std::move(*text);
}

Result<> check_options(const Options& options) {
    if (options.host_names.empty() || options.host_names.front().empty())
        return fail(Errc::malformed, "the cloud needs a name: --hostname NAME");
    if (options.data.empty()) return fail(Errc::malformed, "the cloud needs a folder for its state: --data PATH");
    return {};
}
}  // namespace

struct Cloud::State {
    State(Options given, Platform with)
        : options(std::move(given)),
          platform(with),
          database_worker(make_worker(options, "cloud-db")),
          log_writer(make_worker(options, "cloud-log")),
          log_reader(make_worker(options, "cloud-read")),
          connections(platform.clock, platform.random, platform.executor),
          mqtt("mqtt", serve_mqtt_stream, platform.executor),
          https("https", serve_https_stream, platform.executor),
          local("admin", serve_admin_stream, platform.executor),
          accepting(platform.executor) {}

    [[nodiscard]] Result<> open_state();
    [[nodiscard]] Result<> listen(const ServerIdentity& server);
    void serve();
    [[nodiscard]] std::vector<std::string> names() const;

    // A listener and the connections that came through it.
    using ServeOne = Task<> (*)(State& state, std::unique_ptr<net::Stream> stream);
    struct Door {
        Door(std::string called, ServeOne serve, Executor executor)
            : name(std::move(called)), serve_one(serve), connections(std::move(executor)) {}
        std::string name;
        ServeOne serve_one;
        TaskScope connections;
        std::unique_ptr<net::Listener> listener;
    };
    [[nodiscard]] static Task<> accept_all(State& state, Door& door);
    [[nodiscard]] static Task<> serve_mqtt_stream(State& state, std::unique_ptr<net::Stream> stream);
    [[nodiscard]] static Task<> serve_https_stream(State& state, std::unique_ptr<net::Stream> stream);
    [[nodiscard]] static Task<> serve_admin_stream(State& state, std::unique_ptr<net::Stream> stream);

    Options options;
    Platform platform;
    std::unique_ptr<Worker> database_worker;
    std::unique_ptr<Worker> log_writer;
    std::unique_ptr<Worker> log_reader;
    Connections connections;
    std::unique_ptr<Stores> stores;
    std::unique_ptr<EventLog> events;
    std::unique_ptr<Hub> hub;
    std::unique_ptr<Rest> rest;
    std::unique_ptr<Admin> admin;
    net::HttpHandler https_handler;
    net::HttpHandler admin_handler;
    Door mqtt;
    Door https;
    Door local;
    TaskScope accepting;
};

std::vector<std::string> Cloud::State::names() const {
    auto names = options.host_names;
    if (!options.listen.empty()) names.push_back(options.listen);
    return names;
}

Result<> Cloud::State::open_state() {
    auto authorities = read_authorities(platform.files, options.device_authorities);
    if (!authorities) return fail(authorities.error());
    auto opened =
        Stores::open(options.data / "registry.db", names(), std::move(*authorities), platform.random, platform.clock);
    if (!opened) return fail(opened.error());
    stores = std::move(*opened);
    auto log = EventLog::open(platform.files, options.data / "events", options.events, platform.clock, *log_writer,
                              *log_reader, platform.executor);
    if (!log) return fail(log.error());
    events = std::move(*log);
    hub = std::make_unique<Hub>(options.host_names.front(), *stores, *database_worker, *events, connections);
    rest = std::make_unique<Rest>(*hub, platform.clock, platform.random);
    std::error_code ignored;
    const auto absolute = std::filesystem::absolute(options.data, ignored);
    admin = std::make_unique<Admin>(*hub, *rest, platform.clock, absolute / ca_certificate_file);
    // These lambdas are no coroutines: they only pass the request on.
    https_handler = [this](codec::HttpRequest request, const net::Peer& peer) {
        return rest->handle(std::move(request), Trust::header, peer.certificates_pem);
    };
    admin_handler = [this](codec::HttpRequest request, const net::Peer&) { return admin->handle(std::move(request)); };
    return {};
}

Result<> Cloud::State::listen(const ServerIdentity& server) {
    auto tls = net::TlsServer::create({.certificate_chain_pem = server.certificate_chain_pem,
                                       .private_key_pem = server.private_key_pem,
                                       .request_client_certificate = true});
    if (!tls) return fail(tls.error());
    auto for_mqtt = platform.network.listen_tls(options.listen, options.mqtt_port, *tls);
    if (!for_mqtt) return fail(for_mqtt.error().while_doing("listening for MQTT"));
    auto for_https = platform.network.listen_tls(options.listen, options.https_port, *tls);
    if (!for_https) return fail(for_https.error().while_doing("listening for HTTPS"));
    auto for_admin = platform.network.listen_unix(options.data / admin_socket_file, 0600);
    if (!for_admin) return fail(for_admin.error().while_doing("listening for the admin commands"));
    mqtt.listener = std::move(*for_mqtt);
    https.listener = std::move(*for_https);
    local.listener = std::move(*for_admin);
    return {};
}

void Cloud::State::serve() {
    for (auto* door : {&mqtt, &https, &local}) accepting.spawn(door->name + " listener", accept_all(*this, *door));
}

Task<> Cloud::State::accept_all(State& state, Door& door) {
    for (;;) {
        auto stream = co_await door.listener->accept();
        if (!stream) co_return;
        if (door.connections.size() >= most_connections) {
            log::warn("{}: {} connections are open already; a further one is refused", door.name, most_connections);
            (*stream)->close();
            continue;
        }
        door.connections.spawn(door.name + " connection", door.serve_one(state, std::move(*stream)));
    }
}

Task<> Cloud::State::serve_mqtt_stream(State& state, std::unique_ptr<net::Stream> stream) {
    const MqttContext context{*state.hub, state.platform.clock, state.platform.random, state.platform.executor};
    co_await serve_mqtt(std::move(stream), context);
}

Task<> Cloud::State::serve_https_stream(State& state, std::unique_ptr<net::Stream> stream) {
    co_await net::serve_http(*stream, state.platform.clock, state.https_handler);
}

Task<> Cloud::State::serve_admin_stream(State& state, std::unique_ptr<net::Stream> stream) {
    co_await net::serve_http(*stream, state.platform.clock, state.admin_handler);
}

Cloud::Cloud(std::unique_ptr<State> state) : state_(std::move(state)) {}
Cloud::~Cloud() = default;

Task<Result<std::unique_ptr<Cloud>>> Cloud::start(Options options, Platform platform) {
    if (auto fits = check_options(options); !fits) co_return fail(fits.error());
    if (auto made = platform.files.make_folders(options.data, 0700); !made) co_return fail(made.error());
    if (auto alone = co_await check_alone(options, platform.network); !alone) co_return fail(alone.error());
    auto state = std::make_unique<State>(std::move(options), platform);
    const auto server =
        prepare_certificates(platform.files, state->options.data, state->names(), platform.clock.wall());
    if (!server) co_return fail(server.error());
    auto opened = state->open_state();
    if (opened) opened = state->listen(*server);
    auto cloud = std::make_unique<Cloud>(std::move(state));
    if (!opened) {
        co_await cloud->close();
        co_return fail(opened.error());
    }
    cloud->state_->serve();
    co_return cloud;
}

std::uint16_t Cloud::mqtt_port() const { return state_->mqtt.listener->port(); }
std::uint16_t Cloud::https_port() const { return state_->https.listener->port(); }

Task<> Cloud::close() {
    const auto doors = {&state_->mqtt, &state_->https, &state_->local};
    for (auto* door : doors)
        if (door->listener) door->listener->close();
    co_await state_->accepting.close();
    for (auto* door : doors) co_await door->connections.close();
    if (state_->events) co_await state_->events->close();
}

Task<int> run_cloud(Options options, Platform platform, Event& stop) {
    const auto hosts = fmt::format("{}", options.host_names.empty() ? "" : options.host_names.front());
    const auto address = options.listen.empty() ? std::string("*") : options.listen;
    auto cloud = co_await Cloud::start(std::move(options), platform);
    if (!cloud) {
        log::fatal("the cloud can't start: {}", cloud.error().text);
        co_return 1;
    }
    log::info("cloud ready on {}: {} (MQTT {}, HTTPS {})", address, hosts, (*cloud)->mqtt_port(),
              (*cloud)->https_port());
    co_await stop.wait();
    log::info("cloud stopping");
    co_await (*cloud)->close();
    co_return 0;
}

}  // namespace skerry::cloud
