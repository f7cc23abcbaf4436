#include "queue_commands.hpp"

#include "hub/queue/inspection.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/core.h>

#include <cstdio>
#include <memory>
#include <string>

namespace {

using namespace skerry;

struct Arguments {
    std::string folder{"/var/lib/aziot/edged"};
    bool json{false};
};

Result<hub::Inspection> inspect(const Arguments& arguments, storage::Files& files) {
    const auto folder = hub::find_queues(files, arguments.folder);
    if (!folder) return fail(folder.error());
    return hub::inspect_queues(files, *folder);
}

int report(const Error& error) {
    fmt::print(stderr, "skerry: {}\n", error.text);
    return 2;
}

Task<int> run_inspect(Arguments arguments, Platform platform) {
    const auto inspection = inspect(arguments, platform.files);
    if (!inspection) co_return report(inspection.error());
    if (arguments.json)
        fmt::print("{}\n", boost::json::serialize(hub::inspection_json(*inspection)));
    else
        fmt::print("{}", hub::inspection_text(*inspection, platform.clock.wall()));
    co_return 0;
}

Task<int> run_verify(Arguments arguments, Platform platform) {
    const auto inspection = inspect(arguments, platform.files);
    if (!inspection) co_return report(inspection.error());
    const auto verdict = hub::verify_log(*inspection);
    if (arguments.json)
        fmt::print("{}\n", boost::json::serialize(hub::inspection_json(*inspection)));
    else
        fmt::print("{}", verdict.text);
    co_return verdict.sound ? 0 : 1;
}

std::shared_ptr<Arguments> add_arguments(CLI::App& command) {
    auto arguments = std::make_shared<Arguments>();
    command.add_option("FOLDER", arguments->folder, "the hub's StorageFolder, its queues, or the daemon's home")
        ->capture_default_str();
    command.add_flag("--json", arguments->json, "for programs: queues and segments");
    return arguments;
}

}  // namespace

void add_queue_commands(CLI::App& app, cli::Invocation& invocation) {
    auto* const queue = app.add_subcommand("queue", "look at the hub's stored messages");
    queue->require_subcommand(1);
    auto* const inspect_command = queue->add_subcommand("inspect", "the queues: how long, how old, how large");
    inspect_command->callback([arguments = add_arguments(*inspect_command), &invocation] {
        invocation.action = [arguments](Platform platform, Event&) { return run_inspect(*arguments, platform); };
    });
    auto* const verify = queue->add_subcommand("verify", "check every record, and say what is damaged and where");
    verify->footer(
        "Exit status: 0 sound, 1 damaged, 2 the queues can't be read. Nothing is changed; a running hub is "
        "not disturbed.");
    verify->callback([arguments = add_arguments(*verify), &invocation] {
        invocation.action = [arguments](Platform platform, Event&) { return run_verify(*arguments, platform); };
    });
}
