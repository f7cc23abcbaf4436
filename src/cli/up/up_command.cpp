#include "cli/up/up_command.hpp"

#include "cli/up/up.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <memory>

namespace skerry::cli {

namespace {

struct Arguments {
    std::string directory{default_root().native()};
    std::string run_for;
    bool private_world{false};
    bool shell{false};
    std::vector<std::string> command;
};

// "30s", "2m", "1h", or seconds.
std::optional<Duration> parse_duration(std::string_view text) {
    double value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc{} || value <= 0) return std::nullopt;
    const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    const std::chrono::duration<double> seconds(value * (unit == "h" ? 3600 : unit == "m" ? 60 : 1));
    if (!unit.empty() && unit != "s" && unit != "m" && unit != "h") return std::nullopt;
    return std::chrono::duration_cast<Duration>(seconds);
}

std::string check_duration(const std::string& text) {
    return parse_duration(text) ? std::string{} : "'" + text + "' is no duration such as 30s, 2m or 1h";
}

// One `up` per folder: the lock is held for as long as this process lives.
void lock_or_throw(const std::filesystem::path& root) {
    std::filesystem::create_directories(root);
    const int lock = ::open((root / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || ::flock(lock, LOCK_EX | LOCK_NB) != 0)
        throw CLI::ValidationError("--dir", "another `skerry up` runs in " + root.native());
}

void enter_shell(const Arguments& arguments) {
    const Layout layout{std::filesystem::absolute(arguments.directory)};
    std::ifstream in(layout.process_file());
    pid_t process = 0;
    if (!(in >> process)) throw CLI::ValidationError("--shell", "no `skerry up` runs in " + layout.root.native());
    // For SDKs that keep a list of authorities of their own.
    ::setenv("NODE_EXTRA_CA_CERTS", (layout.cloud() / "ca.pem").c_str(), 0);
    throw CLI::ValidationError("--shell", enter_and_execute(process, arguments.command).text);
}

void prepare(const Arguments& arguments, Invocation& invocation) {
    if (arguments.shell) enter_shell(arguments);
    UpOptions options;
    options.layout.root = std::filesystem::absolute(arguments.directory);
    options.executable = std::filesystem::canonical("/proc/self/exe");
    if (!arguments.run_for.empty()) options.run_for = parse_duration(arguments.run_for);
    lock_or_throw(options.layout.root);
    const auto world = enter_world(arguments.private_world);
    if (!world) throw CLI::ValidationError("up", world.error().text);
    options.world = *world;
    invocation.action = [options](Platform platform, Event& stop) { return run_up(options, platform, stop); };
}

}  // namespace

void add_up_command(CLI::App& app, Invocation& invocation) {
    auto* up = app.add_subcommand("up", "run a cloud, a device and sample modules on this machine, and watch");
    const auto arguments = std::make_shared<Arguments>();
    up->add_option("--dir", arguments->directory, "where the state lies")->capture_default_str();
    up->add_option("--for", arguments->run_for, "end by itself after this long (30s, 2m, 1h)")->check(check_duration);
    up->add_flag("--private", arguments->private_world,
                 "always run in namespaces of its own, even with the right to bind port 443");
    up->add_flag("--shell", arguments->shell, "enter a running `skerry up`: a shell, or the command behind it");
    up->add_option("command", arguments->command, "what --shell runs")->needs("--shell");
    up->positionals_at_end();
    up->callback([arguments, &invocation] { prepare(*arguments, invocation); });
}

}  // namespace skerry::cli
