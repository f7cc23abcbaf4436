// The composition root: reads the command line, makes the real clock, network and files, and runs one role with them.

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/loop.hpp"
#include "base/random.hpp"
#include "check_commands.hpp"
#include "cli/commands.hpp"
#include "cli/invocation.hpp"
#include "engine/module_shim.hpp"
#include "net/network.hpp"
#include "platform/platform.hpp"
#include "queue_commands.hpp"
#include "role_commands.hpp"
#include "storage/files.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <fmt/core.h>

#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>

namespace {

using namespace skerry;

int run(const cli::Invocation& invocation) {
    Loop loop;
    SystemClock clock;
    SystemRandom random;
    const auto files = storage::make_system_files();
    const auto network = net::make_system_network(loop.executor());
    return loop.run([&](Event& stop) {
        return invocation.action(
            Platform{
                .executor = loop.executor(), .clock = clock, .random = random, .network = *network, .files = *files},
            stop);
    });
}

void add_log_options(CLI::App& app, std::string& level, std::string& format) {
    app.add_option("--log-level", level, "fatal, error, warning, info or debug")->envname("RuntimeLogLevel");
    app.add_option("--log-format", format, "text or json")->check(CLI::IsMember({"text", "json"}));
}

// CLI11 asks for a subcommand before it says that it does not know the one that is there.
int explain(const CLI::App& app, const CLI::ParseError& error) {
    const auto unknown = app.remaining(true);
    if (error.get_name() != "RequiredError" || unknown.empty()) return app.exit(error);
    fmt::print(stderr, "skerry: '{}' is no command; --help lists those there are\n", unknown.front());
    return error.get_exit_code();
}

int parse_and_run(int argc, char** argv) {
    CLI::App app{"Skerry: a native edge runtime that speaks Azure IoT Edge", "skerry"};
    app.set_version_flag("--version", "skerry " SKERRY_VERSION);
    app.require_subcommand(1);
    app.fallthrough();

    cli::Invocation invocation;
    std::string level = "info";
    std::string format = "text";
    add_log_options(app, level, format);
    add_role_commands(app, invocation);
    add_queue_commands(app, invocation);
    add_check_commands(app, invocation);
    cli::add_commands(app, invocation, serve_cloud);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) { return explain(app, error); }

    const auto parsed = log::parse_level(level);
    log::configure(parsed.value_or(log::Level::info), format == "json" ? log::Format::json : log::Format::text);
    if (!parsed) log::warn("log level '{}' is unknown; using info", level);
    if (invocation.filter) return invocation.filter();
    return invocation.action ? run(invocation) : EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
    // One per module for its whole life: nothing else of this program may run in it.
    if (argc > 1 && std::string_view(argv[1]) == "module-shim") return engine::module_shim_main(argc, argv);
    ::mallopt(M_ARENA_MAX, 1);
    try {
        return parse_and_run(argc, argv);
    } catch (const std::exception& failure) {
        log::fatal("{}", failure.what());
        return EXIT_FAILURE;
    }
}
