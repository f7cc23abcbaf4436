#include "daemon/daemon.hpp"

#include "base/log.hpp"
#include "base/recent_log.hpp"
#include "base/task_scope.hpp"
#include "base/timeout.hpp"
#include "crypto/crypto.hpp"
#include "daemon/agent_trial.hpp"
#include "daemon/config.hpp"
#include "daemon/edge_ca.hpp"
#include "daemon/identities.hpp"
#include "daemon/image_garbage.hpp"
#include "daemon/image_use.hpp"
#include "daemon/keys.hpp"
#include "daemon/listen.hpp"
#include "daemon/management_api.hpp"
#include "daemon/modules.hpp"
#include "daemon/own_log.hpp"
#include "daemon/unix_server.hpp"
#include "daemon/watchdog.hpp"
#include "daemon/workload_api.hpp"
#include "engine/moby/moby_engine.hpp"
#include "engine/process_engine.hpp"
#include "engine/spawn.hpp"
#include "net/tls.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <cerrno>
#include <optional>

namespace skerry::daemon {

namespace {
using namespace std::chrono_literals;

// Two daemons on one folder would take each other's sockets away. The lock ends with the process at the latest.
Result<engine::OwnedDescriptor> lock_home(const std::filesystem::path& home) {
    const auto path = home / "lock";
    engine::OwnedDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (file.get() < 0) return fail(system_error(path.native(), errno));
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
    if (errno == EWOULDBLOCK) return fail(Errc::conflict, "another daemon uses " + home.native());
    return fail(system_error(path.native(), errno));
}

Result<std::unique_ptr<iothub::RegistryClient>> make_registry(Platform platform, const Config& config,
                                                              const std::string& trusted, std::uint16_t port) {
    auto device = model::Identity::device(config.device_id);
    if (!device) return std::unexpected(device.error());
    net::TlsClient::Options options;
    options.trusted_pem = trusted;
    auto tls = net::TlsClient::create(options);
    if (!tls) return fail(tls.error().while_doing("trust_bundle_cert"));
    const auto& host = config.parent_hostname.empty() ? config.hub_host : config.parent_hostname;
    auto http = std::make_unique<net::HttpClient>(
        platform.clock, net::tls_connector(platform.network, host, port, std::move(*tls)), codec::HttpLimits{}, host);
    auto credentials = std::make_shared<iothub::Credentials>(config.hub_host, std::move(*device),
                                                             iothub::key_signer(config.device_key), platform.clock);
    return std::make_unique<iothub::RegistryClient>(std::move(http), std::move(credentials), config.device_id);
}

// The parts that everything else stands on; each outlives those after it.
struct Foundation {
    engine::OwnedDescriptor lock;
    Config config;
    std::string trusted;
    std::unique_ptr<storage::Database> database;
    Keys keys;
    EdgeCa ca;
    std::unique_ptr<ImageUse> image_use;
    std::unique_ptr<engine::Engine> engine;
};

std::unique_ptr<engine::Engine> make_containers(Platform platform, const Config& config, ImageUse& use) {
    engine::MobyEngineOptions options;
    options.socket = config.moby->socket;
    options.network = config.moby->network;
    options.network_settings = config.moby->network_settings;
    options.host_name = config.hostname;
    options.may_be_elevated = config.may_be_elevated;
    options.log_limits = config.log_limits;
    options.signatures.policy = config.image_policy;
    options.signatures.kept = config.home / "signatures";
    options.on_image_use = [&use](const std::string& id, engine::ImageUse how) {
        how == engine::ImageUse::pulled ? use.pulled(id) : use.used(id);
    };
    options.socket_folder = [home = config.home](std::string_view name) { return socket_folder(home, name); };
    options.storage_folder = [home = config.home](std::string_view name) {
        return keeps_state(name) ? std::optional(storage_folder(home, name)) : std::nullopt;
    };
    return engine::make_moby_engine(std::move(options), platform);
}

Result<std::unique_ptr<engine::Engine>> make_engine(const Options& options, Platform platform, const Config& config,
                                                    ImageUse& image_use) {
    if (config.moby) return make_containers(platform, config, image_use);
    engine::ProcessEngineOptions out;
    out.state = config.home / "engine";
    out.bundles = config.bundles;
    out.shim = options.shim;
    out.socket_folder = [home = config.home](std::string_view name) { return socket_folder(home, name); };
    out.storage_folder = [home = config.home](std::string_view name) { return storage_folder(home, name); };
    return engine::make_process_engine(std::move(out), platform);
}

Result<Foundation> lay_foundation(const Options& options, Platform platform, Config config) {
    auto& files = platform.files;
    if (const auto made = files.make_folders(config.home, 0711); !made) return std::unexpected(made.error());
    auto lock = lock_home(config.home);
    if (!lock) return std::unexpected(lock.error());
    std::string trusted;
    if (config.trust_bundle) {
        auto pem = storage::read_file(files, *config.trust_bundle);
        if (pem && !crypto::parse_certificate(*pem))
            pem = fail(Errc::malformed, config.trust_bundle->native() + ": holds no certificate");
        if (!pem) return fail(pem.error().while_doing("trust_bundle_cert"));
        trusted = std::move(*pem);
    }
    auto database = storage::Database::open(config.home / "daemon.db", daemon_migrations());
    if (!database) return std::unexpected(database.error());
    auto keys = Keys::open(files, platform.random, config.home / "keys", config.imported_master_key);
    if (!keys) return std::unexpected(keys.error());
    auto ca = EdgeCa::open(files, platform.clock, config.home / "keys", config.edge_ca, config.device_id);
    if (!ca) return std::unexpected(ca.error());
    auto image_use = std::make_unique<ImageUse>(files, platform.clock, config.home);
    auto engine = make_engine(options, platform, config, *image_use);
    if (!engine) return std::unexpected(engine.error());
    return Foundation{std::move(*lock), std::move(config), std::move(trusted),   std::move(*database),
                      std::move(*keys), std::move(*ca),    std::move(image_use), std::move(*engine)};
}

class Daemon {
public:
    Daemon(Platform platform, Foundation foundation, std::unique_ptr<iothub::RegistryClient> registry)
        : platform_(platform),
          base_(std::move(foundation)),
          identities_(platform, *base_.database, base_.keys, std::move(registry)),
          workload_(*base_.engine, identities_, base_.keys, base_.ca,
                    {base_.config.hub_host, base_.config.device_id, base_.trusted}, platform.clock),
          trial_(*base_.database, platform.clock, platform.executor, base_.config.agent_trial),
          modules_(platform, base_.config, *base_.engine, identities_, workload_, trial_, management_handler()),
          management_(platform, base_.config, modules_, identities_, trial_, reprovision_),
          watchdog_(platform, modules_, trial_, *base_.database, base_.config.watchdog_retries) {}

    [[nodiscard]] Task<Result<>> start();
    // The exit status, after `stop`, a wish for a new start, or the watchdog's end.
    [[nodiscard]] Task<int> run(Event& stop);
    [[nodiscard]] Task<> close(bool stop_modules);

private:
    net::HttpHandler management_handler() {
        return [this](codec::HttpRequest request, const net::Peer& peer) {
            return management_.handle(std::move(request), peer.process);
        };
    }
    Result<> listen();
    Task<> renew_ca();
    Task<> keep_agent();
    Task<> clear_images();
    [[nodiscard]] std::vector<model::ModuleSpec> agents_to_keep() const;
    Task<> forward(Event& from);

    Platform platform_;
    Foundation base_;
    Event reprovision_{platform_.executor};
    Event gave_up_{platform_.executor};
    Event end_{platform_.executor};
    Identities identities_;
    WorkloadApi workload_;
    AgentTrial trial_;
    Modules modules_;
    ManagementApi management_;
    Watchdog watchdog_;
    std::unique_ptr<UnixServer> management_server_;
    std::unique_ptr<UnixServer> workload_server_;
    TaskScope scope_{platform_.executor};
};

Result<> Daemon::listen() {
    const auto& config = base_.config;
    auto management = listen_on(platform_, config.management_listen, 0660);
    if (!management) return fail(management.error().while_doing("listen.management_uri"));
    management_server_ = std::make_unique<UnixServer>(platform_, "management API", std::move(*management),
                                                      management_handler(), config.management_connections);
    if (config.workload_listen.empty()) return {};
    auto workload = listen_on(platform_, config.workload_listen, 0666);
    if (!workload) return fail(workload.error().while_doing("listen.workload_uri"));
    const auto common = [this](codec::HttpRequest request, const net::Peer& peer) {
        return workload_.handle(std::move(request), peer.process, std::nullopt);
    };
    workload_server_ = std::make_unique<UnixServer>(platform_, "workload API", std::move(*workload), common,
                                                    config.workload_connections);
    return {};
}

Task<Result<>> Daemon::start() {
    const auto& config = base_.config;
    co_await base_.engine->open();
    const auto changed = identities_.open(config.hub_host, config.device_id, config.parent_hostname, config.hostname);
    if (!changed) co_return std::unexpected(changed.error());
    if (*changed) {
        log::warn("hub, device, parent or host name changed: all modules are made anew");
        co_await modules_.remove_all();
    }
    // Modules first: clients of theirs may be waiting.
    co_await modules_.open_sockets();
    co_return listen();
}

Task<> Daemon::renew_ca() {
    constexpr Duration longest_look = 1h;  // the wall clock may jump
    for (auto due = base_.ca.renewal(); due; due = base_.ca.renewal()) {
        const auto left = *due - platform_.clock.wall();
        if (left > 0s) {
            co_await platform_.clock.sleep(std::min<Duration>(left, longest_look));
            continue;
        }
        const auto renewed = base_.ca.renew();
        if (renewed)
            log::info("the Edge CA was renewed; it is good until {}", format_rfc3339(base_.ca.expires(), 0));
        else
            log::error("the Edge CA can't be renewed: {}", renewed.error().text);
        if (!renewed) co_await platform_.clock.sleep(longest_look);
    }
}

std::vector<model::ModuleSpec> Daemon::agents_to_keep() const {
    std::vector<model::ModuleSpec> agents{base_.config.agent};
    for (auto spec : {trial_.current(), trial_.previous("", "")})
        if (spec) agents.push_back(std::move(*spec));
    return agents;
}

Task<> Daemon::clear_images() {
    auto* const images = base_.engine->images();
    if (images == nullptr) co_return;
    ImageGarbage garbage(platform_, base_.config.image_garbage, *images, *base_.image_use,
                         [this] { return agents_to_keep(); });
    co_await garbage.run();
}

Task<> Daemon::keep_agent() {
    co_await watchdog_.run();
    gave_up_.set();
    end_.set();
}

Task<> Daemon::forward(Event& from) {
    co_await from.wait();
    end_.set();
}

Task<int> Daemon::run(Event& stop) {
    scope_.spawn("watchdog", keep_agent());
    scope_.spawn("identities", identities_.keep_fresh());
    scope_.spawn("Edge CA", renew_ca());
    scope_.spawn("image garbage collection", clear_images());
    scope_.spawn("stop", forward(stop));
    scope_.spawn("reprovision", forward(reprovision_));
    log::info("the daemon is ready: device {} of {}, management API at {}", base_.config.device_id,
              base_.config.hub_host, base_.config.management_uri);
    co_await end_.wait();
    if (gave_up_.is_set()) co_return EXIT_FAILURE;
    co_return reprovision_.is_set() && !stop.is_set() ? exit_reprovision : EXIT_SUCCESS;
}

Task<> Daemon::close(bool stop_modules) {
    co_await scope_.close();
    co_await management_.close();
    // Modules that end in order may still want a token: their sockets are served until they are gone.
    if (stop_modules) co_await modules_.stop_all();
    for (auto* const server : {management_server_.get(), workload_server_.get()})
        if (server != nullptr) co_await server->close();
    co_await modules_.close();
    co_await base_.engine->close();
}
}  // namespace

namespace {
Task<Result<>> interrupted(Event& stop) {
    co_await stop.wait();
    co_return Result<>{};
}
}  // namespace

Task<int> run_daemon(Options options, Platform platform, Event& stop) {
    log::keep_recent(remembered_log);
    auto config = load_config(platform.files, options.config);
    if (config)
        if (const auto fits = check_home(config->home); !fits) config = std::unexpected(fits.error());
    if (!config) {
        log::fatal("{}", config.error().text);
        co_return exit_bad_config;
    }
    for (const auto& warning : config->warnings) log::warn("{}: {}", options.config.native(), warning);
    const bool may_wait = config->moby.has_value();
    auto foundation = lay_foundation(options, platform, std::move(*config));
    auto registry = foundation ? make_registry(platform, foundation->config, foundation->trusted, options.hub_port)
                               : std::unexpected(foundation.error());
    if (!registry) {
        log::fatal("the daemon can't start: {}", registry.error().text);
        co_return EXIT_FAILURE;
    }
    Daemon daemon(platform, std::move(*foundation), std::move(*registry));
    Result<> started;
    if (may_wait)  // for the container engine, long maybe: a stop must not wait, too
        started = co_await first_of<void>(daemon.start(), interrupted(stop));
    else
        started = co_await daemon.start();
    int status = EXIT_FAILURE;
    if (!started)
        log::fatal("the daemon can't start: {}", started.error().text);
    else if (may_wait && stop.is_set())
        status = EXIT_SUCCESS;
    else
        status = co_await daemon.run(stop);
    co_await daemon.close(options.stop_modules_on_exit && status != exit_reprovision);
    co_return status;
}

}  // namespace skerry::daemon
