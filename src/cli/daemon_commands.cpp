#include "cli/daemon_commands.hpp"

#include "cli/management.hpp"
#include "cli/module_table.hpp"
#include "cli/support_bundle.hpp"
#include "daemonapi/log_frames.hpp"
#include "daemonapi/management_client.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <fmt/core.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace skerry::cli {

namespace {

struct Arguments {
    std::string host{default_management_host};
    std::string module;
    daemonapi::LogOptions logs;
};

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

}  // namespace

void add_daemon_commands(CLI::App& app, Invocation& invocation) {
    add_list(app, invocation);
    add_logs(app, invocation);
    add_restart(app, invocation);
    add_support_bundle(app, invocation);
}

}  // namespace skerry::cli
