#include "role_commands.hpp"

#include "agent/agent.hpp"
#include "cloud/cloud.hpp"
#include "daemon/daemon.hpp"
#include "hub/hub.hpp"
#include "net/network.hpp"
#include "upstream/upstream.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <chrono>
#include <memory>
#include <utility>

namespace {

using namespace skerry;

void add_daemon(CLI::App& app, cli::Invocation& invocation) {
    auto* command = app.add_subcommand("daemon", "the security daemon: identities, certificates, modules");
    const auto options = std::make_shared<daemon::Options>();
    command->add_option("-c,--config", options->config, "the configuration file")->capture_default_str();
    command->add_flag("--stop-modules-on-exit", options->stop_modules_on_exit,
                      "stop all modules with the daemon, instead of letting them run on");
    command->callback([options, &invocation] {
        invocation.action = [options](Platform platform, Event& stop) {
            return daemon::run_daemon(*options, platform, stop);
        };
    });
}

void add_agent(CLI::App& app, cli::Invocation& invocation) {
    auto* command =
        app.add_subcommand("agent", "the module $edgeAgent; started by the daemon, which sets its environment");
    command->callback([&invocation] {
        invocation.action = [](Platform platform, Event& stop) {
            return agent::run_agent(daemonapi::Environment::of_process(), platform, stop);
        };
    });
}

void add_hub(CLI::App& app, cli::Invocation& invocation) {
    auto* command = app.add_subcommand("hub", "the module $edgeHub; started by the agent, which sets its environment");
    command->callback([&invocation] {
        invocation.action = [](Platform platform, Event& stop) {
            return hub::run_hub(daemonapi::Environment::of_process(), platform, upstream::make_link, stop);
        };
    });
}

}  // namespace

void add_role_commands(CLI::App& app, cli::Invocation& invocation) {
    add_daemon(app, invocation);
    add_agent(app, invocation);
    add_hub(app, invocation);
}

Task<int> serve_cloud(cli::CloudServeArguments arguments, Platform platform, Event& stop) {
    net::allow_most_sockets();
    return cloud::run_cloud(
        {.data = std::move(arguments.data),
         .listen = std::move(arguments.listen),
         .host_names = std::move(arguments.host_names),
         .mqtt_port = arguments.mqtt_port,
         .https_port = arguments.https_port,
         .device_authorities = std::move(arguments.device_authorities),
         .events = {.bytes = arguments.events_bytes, .age = std::chrono::days(arguments.events_days)}},
        platform, stop);
}
