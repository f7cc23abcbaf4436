#include "hub/hub.hpp"

#include "base/log.hpp"
#include "base/task_scope.hpp"
#include "hub/certificates.hpp"
#include "hub/core.hpp"
#include "hub/own_twin.hpp"
#include "hub/version.hpp"
#include "net/network.hpp"

namespace skerry::hub {

namespace {

// Everything of one run, from its settings to its end; run_hub stops it.
class Run {
public:
    Run(Platform platform, CloudLinkFactory make_link)
        : platform_(platform),
          make_link_(std::move(make_link)),
          state_worker_(make_thread_worker("hub-state")),
          log_worker_(make_thread_worker("hub-log")),
          log_reader_(make_thread_worker("hub-log-read")),
          ended_(platform.executor),
          tasks_(platform.executor) {}

    Task<int> until(Event& stop, Settings settings) {
        tasks_.spawn("hub start", start(std::move(settings)));
        tasks_.spawn("stop", pass_on(stop));
        co_await ended_.wait();
        log::info("Stopping");
        // First what may still be starting the core.
        co_await tasks_.close();
        if (core_) co_await core_->close();
        log::info("Stopped");
        co_return exit_status_;
    }

private:
    Task<> pass_on(Event& stop) {
        co_await stop.wait();
        ended_.set();
    }

    Task<> start(Settings settings) {
        auto started = co_await start_core(std::move(settings));
        if (started) {
            tasks_.spawn("failures", watch_failure());
            co_return;
        }
        log::fatal("The hub can't start: {}", started.error().text);
        exit_status_ = 1;
        ended_.set();
    }

    Task<> watch_failure() {
        co_await core_->failed().wait();
        log::fatal("The hub can't go on: {}", core_->failure().text);
        exit_status_ = 1;
        ended_.set();
    }

    Task<Result<>> start_core(Settings settings) {
        auto& files = platform_.files;
        constexpr std::uint64_t other_descriptors = 64;  // files, upstream, metrics
        if (const auto most = net::allow_most_sockets(); most < settings.most_clients + other_descriptors)
            log::warn(
                "{} clients may connect (MaxConnectedClients), and this process may open {} descriptors only: "
                "raise its limit (ulimit -n, LimitNOFILE=)",
                settings.most_clients, most);
        if (auto made = files.make_folders(settings.folder, 0700); !made)
            co_return fail(made.error().while_doing("making the state folder (StorageFolder)"));

        auto workload = daemonapi::WorkloadClient::create(platform_.network, platform_.clock, settings.workload_uri,
                                                          settings.own.module_id(), settings.generation_id);
        if (!workload) co_return fail(workload.error().while_doing("reading IOTEDGE_WORKLOADURI"));
        certificates_.emplace(std::move(*workload), platform_.clock, platform_.random, platform_.executor,
                              settings.edge_host);
        auto tls = co_await certificates_->make_server(settings.mqtt.ask_for_client_certificate);
        if (!tls) co_return fail(tls.error());
        auto trusted = co_await certificates_->trust_bundle();
        if (!trusted) co_return fail(trusted.error());

        auto state = co_await StateStore::open(settings.folder / "hub.db", *state_worker_, certificates_->key_wrapper(),
                                               platform_.random);
        if (!state) co_return fail(state.error());
        auto limits = settings.store;
        limits.bytes_on_disk = co_await stored_size_limit(**state, settings.own);
        auto queues = co_await QueueStore::open(files, settings.folder / "queue", {*log_worker_, *log_reader_},
                                                platform_.clock, platform_.executor, limits);
        if (!queues) co_return fail(queues.error().while_doing("opening the message store"));

        auto core = Core::create({.settings = std::move(settings),
                                  .platform = platform_,
                                  .state = std::move(*state),
                                  .queues = std::move(*queues),
                                  .tls = *tls,
                                  .signer = certificates_->signer(),
                                  .trusted_pem = std::move(*trusted),
                                  .make_link = std::move(make_link_)});
        if (!core) co_return fail(core.error());
        core_ = std::move(*core);
        tasks_.spawn("certificate renewal", certificates_->keep_fresh(*tls));
        co_return co_await core_->start();
    }

    Platform platform_;
    CloudLinkFactory make_link_;
    std::unique_ptr<Worker> state_worker_;
    std::unique_ptr<Worker> log_worker_;
    std::unique_ptr<Worker> log_reader_;
    std::optional<Certificates> certificates_;
    std::unique_ptr<Core> core_;
    int exit_status_{0};
    Event ended_;
    TaskScope tasks_;
};

void warn_of_default_folder(const Settings& settings) {
    if (!settings.folder_is_default) return;
    log::warn("************************************************************************************************");
    log::warn("StorageFolder is not set: messages, twins and identities are kept in '{}'. In a container that is",
              std::filesystem::absolute(settings.folder).lexically_normal().string());
    log::warn("LOST when the container is removed. Set StorageFolder to a folder on a volume that lasts.");
    log::warn("************************************************************************************************");
}

void tell_about_settings(const Settings& settings, const daemonapi::Environment& environment) {
    for (const auto& complaint : settings.complaints) log::warn("{}", complaint);
    daemonapi::tell_of_ignored(ignored_settings(), environment);
}

}  // namespace

Task<int> run_hub(daemonapi::Environment environment, Platform platform, CloudLinkFactory make_link, Event& stop) {
    log::info("Version - {} (Skerry)", version);
    auto settings = read_settings(environment);
    if (!settings) {
        log::fatal("The hub can't start: {}", settings.error().text);
        co_return 1;
    }
    tell_about_settings(*settings, environment);
    warn_of_default_folder(*settings);
    Run run(platform, std::move(make_link));
    co_return co_await run.until(stop, std::move(*settings));
}

}  // namespace skerry::hub
