#include "agent/agent.hpp"

#include "agent/methods.hpp"
#include "agent/metrics/counting_runtime.hpp"
#include "agent/metrics/metrics_service.hpp"
#include "agent/runtime.hpp"
#include "agent/settings.hpp"
#include "agent/store.hpp"
#include "agent/supervisor.hpp"
#include "agent/telemetry/telemetry.hpp"
#include "agent/twin_sync.hpp"
#include "base/log.hpp"
#include "base/task_scope.hpp"
#include "base/timeout.hpp"
#include "iothub/device_client.hpp"

#include <chrono>
#include <memory>
#include <utility>

namespace skerry::agent {

namespace {

using namespace std::chrono_literals;

constexpr std::string_view own_identity = "$edgeAgent";
constexpr Duration farewell_limit = 2s;
constexpr Duration before_asking_again = 1s;

class WorkloadSeal final : public Seal {
public:
    explicit WorkloadSeal(daemonapi::WorkloadClient& workload) : workload_(workload) {}
    Task<Result<std::string>> encrypt(std::string plaintext, std::string iv) override {
        co_return co_await workload_.encrypt(std::move(plaintext), std::move(iv));
    }
    Task<Result<std::string>> decrypt(std::string ciphertext, std::string iv) override {
        co_return co_await workload_.decrypt(std::move(ciphertext), std::move(iv));
    }

private:
    daemonapi::WorkloadClient& workload_;
};

// The hub, once the trust bundle is known; away until then.
class HubLink final : public TwinLink {
public:
    explicit HubLink(Metrics& metrics) : metrics_(metrics) {}
    void open(std::unique_ptr<iothub::DeviceClient> client) {
        client_ = std::move(client);
        client_->start();
    }
    [[nodiscard]] Task<> close() {
        if (client_) co_await client_->close();
    }
    bool connected() const override { return client_ && client_->connected(); }
    Task<Result<boost::json::object>> get_twin() override {
        if (!client_) co_return fail(Errc::unreachable, "the hub has not been reached yet");
        auto twin = co_await client_->get_twin();
        metrics_.synced(twin.has_value());
        co_return twin;
    }
    Task<Result<>> send(model::SharedMessage message) {
        if (!client_) co_return fail(Errc::unreachable, "the hub has not been reached yet");
        co_return co_await client_->send(std::move(message));
    }
    Task<Result<>> report(boost::json::object patch) override {
        if (!client_) co_return fail(Errc::unreachable, "the hub has not been reached yet");
        co_return co_await client_->report(std::move(patch));
    }

private:
    Metrics& metrics_;
    std::unique_ptr<iothub::DeviceClient> client_;
};

// What the agent is made from, in the order in which it must go.
struct Parts {
    Platform platform;
    DeviceFacts facts;
    Settings settings;
    model::Identity identity;
    std::string generation;
    std::string version;
    std::unique_ptr<daemonapi::WorkloadClient> workload;
    std::unique_ptr<ModuleRuntime> runtime;
};

class Agent {
public:
    explicit Agent(Parts parts)
        : parts_(std::move(parts)),
          measured_({.platform = parts_.platform,
                     .settings = parts_.settings,
                     .facts = parts_.facts,
                     .runtime = *parts_.runtime,
                     .version = parts_.version}),
          runtime_(*parts_.runtime, measured_.metrics(), parts_.platform.clock,
                   [this](const std::string& module) { return supervisor_.version_of(module); }),
          seal_(*parts_.workload),
          store_(parts_.platform.files, parts_.platform.random, seal_, parts_.settings.storage),
          link_(measured_.metrics()),
          supervisor_({.settings = parts_.settings,
                       .facts = parts_.facts,
                       .runtime = runtime_,
                       .store = store_,
                       .clock = parts_.platform.clock,
                       .executor = parts_.platform.executor,
                       .own_generation = parts_.generation,
                       .version = parts_.version,
                       .on_state_changed = [this] { sync_.state_changed(); },
                       .on_looked = [this](const Deployment& deployment,
                                           const auto& observed) { looked(deployment, observed); },
                       .on_deployed = [this](Duration took) { measured_.metrics().deployed(took); }}),
          sync_(link_, parts_.platform.clock, parts_.platform.executor, parts_.settings.refresh,
                {.on_desired = [this](const boost::json::object& desired,
                                      std::int64_t version) { supervisor_.take_desired(desired, version); },
                 .make_report = [this](bool compact) { return supervisor_.report(compact); }}),
          logs_(make_daemon_logs(parts_.platform.network, parts_.platform.clock, parts_.facts.management_uri)),
          methods_({.runtime = runtime_,
                    .logs = *logs_,
                    .facts = parts_.facts,
                    .platform = parts_.platform,
                    .knows = [this](const std::string& module) { return supervisor_.knows(module); },
                    .storage = [this] { return tls_; },
                    .on_call = [this](std::string_view method) { measured_.metrics().called(method); }}),
          telemetry_({.platform = parts_.platform,
                      .settings = parts_.settings.telemetry,
                      .folder = parts_.settings.storage / "telemetry",
                      .own_page = [this] { return measured_.page(); },
                      .send = [this](model::SharedMessage message) { return link_.send(std::move(message)); }}),
          ended_(parts_.platform.executor),
          scope_(parts_.platform.executor) {}

    // Modules are looked after from the first moment; the hub is reached when it can be.
    void start() {
        scope_.spawn("supervision", supervise());
        scope_.spawn("waiting for changes of modules", supervisor_.keep_watching());
        scope_.spawn("saving the deployment", supervisor_.keep_saving());
        scope_.spawn("reading the twin", sync_.keep_reading());
        scope_.spawn("reporting", sync_.keep_reporting());
        scope_.spawn("reaching the hub", reach_hub());
        scope_.spawn("measuring", measured_.keep_measuring());
        scope_.spawn("telemetry", telemetry_.keep_scraping());
        scope_.spawn("sending telemetry", telemetry_.keep_uploading());
        measured_.listen();
    }

    // Until `stop` is set (0), or supervision ended, which it never should (1: the daemon starts the agent anew).
    [[nodiscard]] Task<int> ended(Event& stop) {
        scope_.spawn("stop", wait_for(stop));
        co_await ended_.wait();
        co_return stop.is_set() ? 0 : 1;
    }

    [[nodiscard]] Task<> stop() {
        co_await scope_.close();
        co_await methods_.close();
        co_await supervisor_.close();
        co_await measured_.close();
        const auto said = co_await with_timeout<void>(parts_.platform.clock, farewell_limit, sync_.say_farewell());
        if (!said) log::debug("The last report was not delivered: {}", said.error().text);
        // Its goodbye takes a second at most, and its handlers must end before what they ask.
        co_await link_.close();
    }

private:
    void looked(const Deployment& deployment, const std::vector<model::ModuleStatus>& observed) {
        measured_.describe(supervisor_.system_info());
        measured_.looked(deployment, observed);
    }

    [[nodiscard]] Task<> supervise() {
        struct Ending {
            Event& ended;
            ~Ending() { ended.set(); }
        };
        const Ending ending{ended_};
        co_await supervisor_.keep_running();
    }

    [[nodiscard]] Task<> wait_for(Event& stop) {
        co_await stop.wait();
        ended_.set();
    }

    // The authorities of this site, from the daemon. A daemon without any leaves us with the system's.
    [[nodiscard]] Task<std::string> trust_bundle() {
        for (;;) {
            auto bundle = co_await parts_.workload->trust_bundle();
            if (bundle) co_return std::move(*bundle);
            if (bundle.error().code == Errc::not_found) co_return std::string();
            log::debug("The trust bundle can't be read yet: {}", bundle.error().text);
            co_await parts_.platform.clock.sleep(before_asking_again);
        }
    }

    [[nodiscard]] Task<> reach_hub() {
        auto tls = net::TlsClient::create({.trusted_pem = co_await trust_bundle(),
                                           .trust_system_store = true,
                                           .certificate_chain_pem = {},
                                           .private_key_pem = {}});
        if (!tls) {
            log::error("The hub can't be reached: the trust bundle of the daemon is unusable: {}", tls.error().text);
            co_return;
        }
        tls_ = std::move(*tls);
        const auto& facts = parts_.facts;
        auto credentials = std::make_shared<iothub::Credentials>(
            facts.hub_host, parts_.identity,
            [this](std::string text) { return parts_.workload->sign(std::move(text)); }, parts_.platform.clock);
        iothub::DeviceClientOptions options{.dial_host = facts.parent_host.empty() ? facts.hub_host : facts.parent_host,
                                            .tls = tls_,
                                            .identity = parts_.identity,
                                            .client_type = "EdgeAgent/skerry"};
        link_.open(std::make_unique<iothub::DeviceClient>(std::move(options), handlers(), std::move(credentials),
                                                          parts_.platform.network, parts_.platform.clock,
                                                          parts_.platform.random, parts_.platform.executor));
    }

    [[nodiscard]] iothub::DeviceClientHandlers handlers() {
        return {
            .on_input = {},
            .on_cloud_to_device = {},
            .on_desired = [this](boost::json::object patch) { return take_patch(std::move(patch)); },
            .on_method = [this](iothub::MethodRequest request) { return answer(std::move(request)); },
            .on_connected = [this] { connected(); },
            .on_disconnected = [](const Error& why) { log::info("The connection to the hub was lost: {}", why.text); }};
    }

    [[nodiscard]] Task<> take_patch(boost::json::object patch) {
        sync_.patched(patch);
        co_return;
    }

    [[nodiscard]] Task<iothub::MethodResponse> answer(iothub::MethodRequest request) {
        auto response = co_await methods_.answer(std::move(request));
        supervisor_.look_soon();
        co_return response;
    }

    void connected() {
        log::info("Connected to the hub");
        sync_.connected();
        supervisor_.cloud_is_back();
    }

    Parts parts_;
    MetricsService measured_;
    CountingRuntime runtime_;
    WorkloadSeal seal_;
    Store store_;
    HubLink link_;
    Supervisor supervisor_;
    TwinSync sync_;
    std::shared_ptr<net::TlsClient> tls_;  // once the trust bundle is known
    std::unique_ptr<LogSource> logs_;
    Methods methods_;
    Telemetry telemetry_;
    Event ended_;
    TaskScope scope_;
};

Result<Parts> make_parts(const daemonapi::Environment& environment, Platform platform, std::string version) {
    auto facts = DeviceFacts::from(environment);
    if (!facts) return fail(std::move(facts).error());
    auto identity = model::Identity::module(facts->device_id, std::string(own_identity));
    if (!identity) return fail(identity.error().while_doing("reading IOTEDGE_DEVICEID"));
    const auto workload_uri = environment.require("IOTEDGE_WORKLOADURI");
    if (!workload_uri) return fail(workload_uri.error());
    auto generation = environment.value_or("IOTEDGE_MODULEGENERATIONID", "");
    auto workload = daemonapi::WorkloadClient::create(platform.network, platform.clock, *workload_uri,
                                                      std::string(own_identity), generation);
    if (!workload) return fail(workload.error().while_doing("reading IOTEDGE_WORKLOADURI"));
    auto runtime = DaemonRuntime::create(platform.network, platform.clock, facts->management_uri);
    if (!runtime) return fail(runtime.error());
    return Parts{.platform = platform,
                 .facts = std::move(*facts),
                 .settings = Settings::from(environment),
                 .identity = std::move(*identity),
                 .generation = std::move(generation),
                 .version = std::move(version),
                 .workload = std::move(*workload),
                 .runtime = std::move(*runtime)};
}

}  // namespace

Task<int> run_agent(daemonapi::Environment environment, Platform platform, Event& stop, std::string version) {
    auto parts = make_parts(environment, platform, std::move(version));
    if (!parts) {
        log::fatal("The agent can't start: {}. It is meant to be started by the daemon, which sets its environment.",
                   parts.error().text);
        co_return 1;
    }
    log::info("Starting the agent of device {}", parts->facts.device_id);
    daemonapi::tell_of_ignored(ignored_settings(), environment);
    Agent agent(std::move(*parts));
    agent.start();
    const auto status = co_await agent.ended(stop);
    log::info("The agent stops; the modules run on");
    co_await agent.stop();
    co_return status;
}

}  // namespace skerry::agent
