#include "cli/up/up.hpp"

#include "base/child_process.hpp"
#include "base/log.hpp"
#include "base/task_scope.hpp"
#include "cli/cloud_admin.hpp"
#include "cli/up/ledger.hpp"
#include "cli/up/view.hpp"
#include "daemonapi/management_client.hpp"

#include <fmt/core.h>

#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>

#include <unistd.h>

#include <chrono>
#include <utility>

namespace skerry::cli {

namespace json = boost::json;

namespace {

using namespace std::chrono_literals;

constexpr auto start_limit = 60s;
constexpr auto drain_limit = 10s;
constexpr auto probe_interval = 10ms;

// One run, from the first process to the last.
class Up {
public:
    Up(UpOptions options, Platform platform, Event& stop)
        : options_(std::move(options)),
          layout_(options_.layout),
          platform_(platform),
          stop_(stop),
          view_(platform.clock),
          scope_(platform.executor),
          admin_(platform.network, platform.clock, layout_.admin_socket()),
          sensor_ledger_(layout_.sensor_ledger()),
          filter_ledger_(layout_.filter_ledger()) {}

    Task<int> run() {
        const auto started = co_await start();
        if (started) {
            tell_how_to_reach();
            co_await watch();
            co_await drain();
        } else if (!stop_.is_set()) {
            view_.note(fmt::format("skerry up: {}", started.error().text));
            view_.note(fmt::format("the logs are in {}", layout_.root.native()));
        }
        co_await shut_down();
        gather();
        view_.summary(accounts_.totals());
        co_return started&& accounts_.totals().lost == 0 ? 0 : 1;
    }

private:
    Task<Result<>> start();
    Task<Result<>> start_cloud();
    Task<Result<>> make_device();
    Task<Result<>> start_daemon();
    Task<Result<>> wait_for_modules();
    Task<Result<>> wait_for_first_message();
    Task<> watch();
    Task<> drain();
    Task<> shut_down();
    Task<> follow_events();
    void take_event(std::string_view line);

    Result<ChildProcess> start_role(std::string_view name, std::vector<std::string> arguments);
    Result<> still_alive();
    void gather();
    void tell_how_to_reach();
    Task<Result<>> pause();

    UpOptions options_;
    const Layout& layout_;
    Platform platform_;
    Event& stop_;
    View view_;
    TaskScope scope_;
    CloudAdmin admin_;
    std::unique_ptr<daemonapi::ManagementClient> management_;
    std::optional<ChildProcess> cloud_;
    std::optional<ChildProcess> daemon_;
    TailedFile sensor_ledger_;
    TailedFile filter_ledger_;
    Accounts accounts_;
    std::string last_message_;
};

Result<ChildProcess> Up::start_role(std::string_view name, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), options_.executable.native());
    return ChildProcess::start({.arguments = std::move(arguments), .output = layout_.log(name)}, platform_.executor);
}

// A short wait between two looks at something that only answers questions; ends early with an error when a process
// died.
Task<Result<>> Up::pause() {
    co_await platform_.clock.sleep(probe_interval);
    if (stop_.is_set()) co_return fail(Errc::closed, "interrupted");
    if (view_.seconds() > std::chrono::duration<double>(start_limit).count())
        co_return fail(Errc::timeout, fmt::format("not up within {} s", start_limit.count()));
    co_return still_alive();
}

Result<> Up::still_alive() {
    const std::pair<const char*, std::optional<ChildProcess>*> roles[] = {{"cloud", &cloud_}, {"daemon", &daemon_}};
    for (const auto& [name, process] : roles)
        if (*process && (*process)->ended())
            return fail(Errc::closed, fmt::format("the {} has ended; see {}", name, layout_.log(name).native()));
    return {};
}

Task<Result<>> Up::start() {
    view_.note(fmt::format("skerry up: state in {}{}", layout_.root.native(),
                           options_.world == World::direct ? "" : " (in namespaces of its own: skerry up --shell)"));
    using Step = Task<Result<>> (Up::*)();
    for (const Step step :
         {&Up::start_cloud, &Up::make_device, &Up::start_daemon, &Up::wait_for_modules, &Up::wait_for_first_message}) {
        auto done = co_await (this->*step)();
        if (!done) co_return done;
    }
    co_return Result<>{};
}

Task<Result<>> Up::start_cloud() {
    auto started = start_role("cloud", {"cloud", "serve", "--data", layout_.cloud().native(), "--listen", cloud_address,
                                        "--hostname", cloud_address, "--hostname", cloud_name});
    if (!started) co_return fail(started.error());
    cloud_ = std::move(*started);
    while (!co_await admin_.info())
        if (auto waited = co_await pause(); !waited) co_return waited;
    view_.step("cloud", fmt::format("ready on {} (MQTT 8883, HTTPS 443)", cloud_address));
    co_return Result<>{};
}

Task<Result<>> Up::make_device() {
    const auto info = co_await admin_.info();
    if (!info) co_return fail(info.error());
    const std::filesystem::path ca_certificate = json::value_to<std::string>(info->at("caCertificate"));
    const auto connection_string = co_await admin_.ensure_edge_device(up_device_id);
    if (!connection_string) co_return fail(connection_string.error());
    if (options_.world == World::own_namespaces)
        if (auto bound = bind_names_and_trust(layout_.root, ca_certificate); !bound) co_return bound;
    auto written = write_bundles(platform_.files, layout_, options_.executable);
    if (written) written = write_config(platform_.files, layout_, *connection_string, ca_certificate);
    if (!written) co_return written;
    scope_.spawn("cloud events", follow_events());
    auto deployed = co_await admin_.deploy(up_device_id, deployment(layout_, "running"));
    if (deployed) view_.step("device", fmt::format("{}: deployment applied", up_device_id));
    co_return deployed;
}

Task<Result<>> Up::start_daemon() {
    auto started = start_role("daemon", {"daemon", "-c", layout_.config().native(), "--stop-modules-on-exit"});
    if (!started) co_return fail(started.error());
    daemon_ = std::move(*started);
    auto client = daemonapi::ManagementClient::create(platform_.network, platform_.clock,
                                                      "unix://" + layout_.management_socket().native());
    if (!client) co_return fail(client.error());
    management_ = std::move(*client);
    while (!co_await management_->list_modules())
        if (auto waited = co_await pause(); !waited) co_return waited;
    view_.step("daemon", layout_.management_socket().native());
    co_return Result<>{};
}

Task<Result<>> Up::wait_for_modules() {
    std::unordered_set<std::string> running;
    while (running.size() < 4) {
        const auto modules = co_await management_->list_modules();
        if (!modules) {
            if (auto waited = co_await pause(); !waited) co_return waited;
            continue;
        }
        for (const auto& module : modules->modules)
            if (module.state == model::RuntimeState::running && running.insert(module.name).second)
                view_.step(module.name, "running");
        if (auto waited = co_await pause(); !waited) co_return waited;
    }
    co_return Result<>{};
}

Task<Result<>> Up::wait_for_first_message() {
    while (accounts_.totals().received == 0)
        if (auto waited = co_await pause(); !waited) co_return waited;
    view_.step("message", "the first one is in the cloud");
    co_return Result<>{};
}

// What the cloud's event log gets from now on, as it gets it.
Task<> Up::follow_events() {
    const auto ended = co_await admin_.events({.from_start = false, .follow = true}, [this](std::string_view line) {
        take_event(line);
        return true;
    });
    if (!ended) view_.note(fmt::format("reading the cloud's events: {}", ended.error().text));
}

void Up::take_event(std::string_view line) {
    json::error_code failed;
    const auto event = json::parse(line, failed);
    if (failed) return;
    const auto id = event.at("systemProperties").as_object().if_contains("message-id");
    const auto body = event.as_object().if_contains("body");
    if (id && id->is_string()) accounts_.received(std::string(id->get_string()));
    if (body && body->is_string()) last_message_ = std::string(body->get_string());
}

void Up::gather() {
    for (const auto& line : sensor_ledger_.new_lines()) accounts_.sensor_line(line);
    for (const auto& line : filter_ledger_.new_lines()) accounts_.filter_line(line);
}

void Up::tell_how_to_reach() {
    const auto data = layout_.cloud().native();
    view_.note(fmt::format("\n  cloud      {} ({}); connection strings: skerry cloud info --data {}", cloud_address,
                           cloud_name, data));
    view_.note(fmt::format("  hub        {} ({}), MQTT 8883", hub_address, hub_name));
    view_.note(fmt::format("  modules    skerry list -H unix://{}", layout_.management_socket().native()));
    view_.note(fmt::format("  events     skerry cloud events --follow --data {}", data));
    if (options_.world == World::own_namespaces)
        view_.note(fmt::format("  inside     skerry up --shell --dir {}", layout_.root.native()));
}

Task<> Up::watch() {
    const auto end = options_.run_for ? std::optional(platform_.clock.steady() + *options_.run_for) : std::nullopt;
    while (!stop_.is_set() && (!end || platform_.clock.steady() < *end)) {
        gather();
        view_.live(accounts_.totals(), last_message_);
        if (auto alive = still_alive(); !alive) {
            view_.note(alive.error().text);
            co_return;
        }
        co_await platform_.clock.sleep(50ms);
    }
}

// The sensor stops first; then what is under way may arrive.
Task<> Up::drain() {
    if (!still_alive()) co_return;
    const auto stopped = co_await admin_.deploy(up_device_id, deployment(layout_, "stopped"));
    if (!stopped) view_.note(fmt::format("stopping the sensor: {}", stopped.error().text));
    const auto limit = platform_.clock.steady() + drain_limit;
    bool sensor_ended = false;
    while (platform_.clock.steady() < limit && still_alive()) {
        if (!sensor_ended) {
            const auto modules = co_await management_->list_modules();
            if (modules)
                for (const auto& module : modules->modules)
                    if (module.name == "sensor") sensor_ended = module.state != model::RuntimeState::running;
        }
        gather();
        const auto totals = accounts_.totals();
        view_.live(totals, last_message_);
        if (sensor_ended && totals.lost == 0) co_return;
        co_await platform_.clock.sleep(probe_interval);
    }
}

Task<> Up::shut_down() {
    if (daemon_) {
        co_await daemon_->stop(platform_.clock, 30s);
        view_.step("daemon", "stopped, with all modules");
    }
    co_await scope_.close();
    if (cloud_) {
        co_await cloud_->stop(platform_.clock, 10s);
        view_.step("cloud", "stopped");
    }
}

}  // namespace

Task<int> run_up(UpOptions options, Platform platform, Event& stop) {
    const auto process_file = options.layout.process_file();
    auto noted = storage::replace_file(platform.files, process_file, std::to_string(::getpid()));
    if (!noted) {
        log::fatal("{}", noted.error().text);
        co_return 1;
    }
    Up up(std::move(options), platform, stop);
    const int exit_code = co_await up.run();
    if (auto removed = platform.files.remove(process_file); !removed) log::warn("{}", removed.error().text);
    co_return exit_code;
}

}  // namespace skerry::cli
