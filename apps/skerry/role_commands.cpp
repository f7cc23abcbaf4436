#include "role_commands.hpp"

#include "agent/agent.hpp"
#include "cloud/cloud.hpp"
#include "daemon/daemon.hpp"
#include "hub/hub.hpp"
#include "upstream/upstream.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <memory>

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
    auto* command = app.add_subcommand("agent", "the module $edgeAgent; started by the daemon, which sets its environment");
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
            return hub::run_hub(daemonapi::Environment::of_process(), platform, upstream::link_factory(), stop);
        };
    });
}

}  // namespace

void add_role_commands(CLI::App& app, cli::Invocation& invocation) {
    add_daemon(app, invocation);
    add_agent(app, invocation);
    add_hub(app, invocation);
}
