#include "cli/daemon_commands.hpp"

#include "cli/module_table.hpp"
#include "daemonapi/log_frames.hpp"
#include "daemonapi/management_client.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <fmt/core.h>

#include <cerrno>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace skerry::cli {

namespace {

constexpr const char* default_host = "unix:///var/run/iotedge/mgmt.sock";

struct Arguments {
    std::string host{default_host};
    std::string module;
    daemonapi::LogOptions logs;
};

struct BundleArguments {
    std::string host{default_host};
    std::string output{"support_bundle.zip"};
    bool quiet{false};
    daemonapi::SupportBundleOptions bundle;
};

Task<bool> answered(bool answer) { co_return answer; }

int report(const Error& error) {
    fmt::print(stderr, "skerry: {}\n", error.text);
    return 1;
}

Result<std::unique_ptr<daemonapi::ManagementClient>> connect(const Platform& platform, const std::string& host) {
    auto client = daemonapi::ManagementClient::create(platform.network, platform.clock, host);
    if (!client) return fail(client.error().while_doing("--host " + host));
    return client;
}

Task<int> run_list(std::string host, Platform platform) {
    const auto client = connect(platform, host);
    if (!client) co_return report(client.error());
    auto modules = co_await (*client)->list_modules();
    if (!modules) co_return report(modules.error());
    fmt::print("{}", module_table(std::move(modules->modules), platform.clock.wall()));
    co_return 0;
}

Task<int> run_restart(std::string host, std::string module, Platform platform) {
    const auto client = connect(platform, host);
    if (!client) co_return report(client.error());
    if (auto stopped = co_await (*client)->stop_module(module); !stopped) {
        if (stopped.error().code == Errc::not_found) co_return report(stopped.error());
        fmt::print(stderr, "warn: {} was not stopped gracefully: {}\n", module, stopped.error().text);
    }
    if (auto started = co_await (*client)->start_module(module); !started) co_return report(started.error());
    fmt::print("Restarted {}\n", module);
    co_return 0;
}

bool print_frames(daemonapi::LogFrames& frames, std::string_view bytes) {
    frames.feed(bytes);
    while (auto frame = frames.next()) {
        auto* const out = frame->stream == 2 ? stderr : stdout;
        if (std::fwrite(frame->text.data(), 1, frame->text.size(), out) != frame->text.size()) return false;
        std::fflush(out);
    }
    return !frames.broken();
}

Task<int> run_logs(Arguments arguments, Platform platform) {
    const auto client = connect(platform, arguments.host);
    if (!client) co_return report(client.error());
    daemonapi::LogFrames frames;
    const auto done = co_await (*client)->logs(
        arguments.module, arguments.logs, [&frames](std::string_view bytes) { return print_frames(frames, bytes); });
    if (!done) co_return report(done.error());
    if (frames.broken()) co_return report(Error{Errc::malformed, "the daemon sent no log frames"});
    co_return 0;
}

// The archive goes to a file beside the wanted one first: who asked never finds half of it.
Task<int> run_bundle(BundleArguments arguments, Platform platform) {
    const auto client = connect(platform, arguments.host);
    if (!client) co_return report(client.error());
    const bool to_output = arguments.output == "-";
    const auto beside = arguments.output + ".part";
    auto* const out = to_output ? stdout : std::fopen(beside.c_str(), "wbe");
    if (out == nullptr) co_return report(system_error(beside, errno));
    bool written = true;
    const std::function<Task<bool>(std::string)> take = [&](const std::string& bytes) -> Task<bool> {
        written = written && std::fwrite(bytes.data(), 1, bytes.size(), out) == bytes.size();
        return answered(written);
    };
    const auto done = co_await (*client)->relay_support_bundle(arguments.bundle, take);
    written = (to_output ? std::fflush(out) : std::fclose(out)) == 0 && written;
    if (done && written && !to_output) written = std::rename(beside.c_str(), arguments.output.c_str()) == 0;
    if (!to_output && !(done && written)) std::remove(beside.c_str());
    if (!done) co_return report(done.error());
    if (!written) co_return report(system_error(arguments.output, errno));
    if (!arguments.quiet && !to_output) fmt::print("Wrote the support bundle to {}\n", arguments.output);
    co_return 0;
}

void add_host(CLI::App& command, std::string& host) {
    command.add_option("-H,--host", host, "the daemon's management socket")
        ->envname("IOTEDGE_HOST")
        ->capture_default_str();
}

void add_list(CLI::App& app, Invocation& invocation) {
    auto* list = app.add_subcommand("list", "list the modules, what they do and their images");
    const auto arguments = std::make_shared<Arguments>();
    add_host(*list, arguments->host);
    list->callback([arguments, &invocation] {
        invocation.action = [arguments](Platform platform, Event&) { return run_list(arguments->host, platform); };
    });
}

void add_restart(CLI::App& app, Invocation& invocation) {
    auto* restart = app.add_subcommand("restart", "stop and start a module");
    const auto arguments = std::make_shared<Arguments>();
    add_host(*restart, arguments->host);
    restart->add_option("module", arguments->module, "its name")->required();
    restart->callback([arguments, &invocation] {
        invocation.action = [arguments](Platform platform, Event&) {
            return run_restart(arguments->host, arguments->module, platform);
        };
    });
}

void add_logs(CLI::App& app, Invocation& invocation) {
    auto* logs = app.add_subcommand("logs", "show what a module has written");
    const auto arguments = std::make_shared<Arguments>();
    add_host(*logs, arguments->host);
    logs->add_option("module", arguments->module, "its name")->required();
    logs->add_flag("-f,--follow", arguments->logs.follow, "go on with what comes");
    logs->add_option("--tail", arguments->logs.tail, "that many lines from the end, or 'all'");
    logs->add_option("--since", arguments->logs.since, "RFC 3339, unix seconds, or a duration such as 1h");
    logs->add_option("--until", arguments->logs.until, "likewise");
    logs->add_flag("-t,--timestamps", arguments->logs.timestamps, "put the time in front of each line");
    logs->callback([arguments, &invocation] {
        invocation.action = [arguments](Platform platform, Event&) { return run_logs(*arguments, platform); };
    });
}

void add_support_bundle(CLI::App& app, Invocation& invocation) {
    auto* bundle = app.add_subcommand("support-bundle", "collect logs and the state of this device in a zip archive");
    const auto arguments = std::make_shared<BundleArguments>();
    add_host(*bundle, arguments->host);
    bundle->add_option("-o,--output", arguments->output, "the file; '-' is standard output")->capture_default_str();
    bundle->add_option("--since", arguments->bundle.since, "logs from then on: RFC 3339, unix seconds, or 1h");
    bundle->add_option("--until", arguments->bundle.until, "logs until then");
    bundle->add_flag("-e,--include-edge-runtime-only,--edge-runtime-only", arguments->bundle.edge_runtime_only,
                     "only of edgeAgent and edgeHub");
    bundle->add_flag("-q,--quiet", arguments->quiet, "say nothing when all is well");
    bundle->callback([arguments, &invocation] {
        invocation.action = [arguments](Platform platform, Event&) { return run_bundle(*arguments, platform); };
    });
}

}  // namespace

void add_daemon_commands(CLI::App& app, Invocation& invocation) {
    add_list(app, invocation);
    add_logs(app, invocation);
    add_restart(app, invocation);
    add_support_bundle(app, invocation);
}

}  // namespace skerry::cli
