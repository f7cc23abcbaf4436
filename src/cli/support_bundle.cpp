#include "cli/support_bundle.hpp"

#include "base/timeout.hpp"
#include "cli/management.hpp"
#include "cli/output_file.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace skerry::cli {

using namespace std::chrono_literals;

namespace {

struct Arguments {
    std::string host{default_management_host};
    std::string output;  // empty: named after the time
    bool quiet{false};
    daemonapi::SupportBundleOptions bundle;
};

constexpr int interrupted_status = 130;

std::string size_text(std::uint64_t bytes) {
    constexpr double kilobyte = 1024;
    constexpr std::uint64_t few = 10'000;
    const auto size = static_cast<double>(bytes);
    if (bytes < few) return fmt::format("{} bytes", bytes);
    if (size < kilobyte * kilobyte) return fmt::format("{:.0f} KB", size / kilobyte);
    return fmt::format("{:.1f} MB", size / kilobyte / kilobyte);
}

// One line on a terminal that is written again and again, and is gone in the end; nothing elsewhere.
class Progress {
public:
    Progress(const Clock& clock, bool quiet) : clock_(clock), shown_(!quiet && ::isatty(STDERR_FILENO) == 1) {
        if (shown_) fmt::print(stderr, "Collecting logs and state, and checking the device …");
    }
    ~Progress() {
        if (shown_) fmt::print(stderr, "\r\033[K");
    }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void tell(std::uint64_t bytes) {
        if (!shown_ || clock_.steady() - told_ < 200ms) return;
        told_ = clock_.steady();
        fmt::print(stderr, "\rCollecting logs and state, and checking the device … {}\033[K", size_text(bytes));
    }

private:
    const Clock& clock_;
    bool shown_;
    SteadyTime told_;
};

struct Saving {
    OutputFile file;
    Progress progress;
    Result<> written;

    Task<bool> take(std::string bytes) {
        written = file.write(bytes);
        progress.tell(file.written());
        co_return written.has_value();
    }
};

Task<Result<>> until_stopped(Event& stop) {
    co_await stop.wait();
    co_return fail(Errc::closed, "interrupted: no support bundle was written");
}

// The bytes that were written.
Task<Result<std::uint64_t>> save(const Arguments& arguments, Platform platform, Event& stop) {
    const auto client = connect(platform, arguments.host);
    if (!client) co_return fail(client.error());
    auto file = OutputFile::open(arguments.output);
    if (!file) co_return fail(file.error());
    Saving saving{.file = std::move(*file), .progress = Progress(platform.clock, arguments.quiet), .written = {}};
    // Outlives the call that takes it.
    const std::function<Task<bool>(std::string)> take = [&saving](std::string bytes) {
        return saving.take(std::move(bytes));
    };
    const auto done =
        co_await first_of<void>((*client)->relay_support_bundle(arguments.bundle, take), until_stopped(stop));
    if (!saving.written) co_return fail(saving.written.error());
    if (!done && done.error().code == Errc::unreachable)
        co_return fail(done.error().code, done.error().text + "; does the daemon run? `skerry check` looks without it");
    if (!done) co_return fail(done.error());
    if (const auto finished = saving.file.finish(); !finished) co_return fail(finished.error());
    co_return saving.file.written();
}

std::string name_by_time(WallTime now) {
    return fmt::format("support_bundle_{:%Y_%m_%d_%H_%M_%S}_UTC.zip",
                       fmt::gmtime(std::chrono::system_clock::to_time_t(now)));
}

Task<int> run(Arguments arguments, Platform platform, Event& stop) {
    if (arguments.output.empty()) arguments.output = name_by_time(platform.clock.wall());
    const auto bytes = co_await save(arguments, platform, stop);
    if (!bytes) {
        const auto status = report(bytes.error());
        co_return stop.is_set() ? interrupted_status : status;
    }
    if (!arguments.quiet && arguments.output != "-")
        fmt::print("Wrote the support bundle to {} ({})\n", arguments.output, size_text(*bytes));
    co_return 0;
}

}  // namespace

void add_support_bundle(CLI::App& app, Invocation& invocation) {
    auto* bundle = app.add_subcommand("support-bundle", "collect logs and the state of this device in a zip archive");
    const auto arguments = std::make_shared<Arguments>();
    add_host(*bundle, arguments->host);
    bundle->add_option("-o,--output", arguments->output,
                       "the file; '-' is standard output; default: support_bundle_<time>_UTC.zip");
    bundle->add_option("--since", arguments->bundle.since, "logs from then on: RFC 3339, unix seconds, or '2h 30min'");
    bundle->add_option("--until", arguments->bundle.until, "logs until then, likewise");
    bundle->add_flag("-e,--include-edge-runtime-only,--edge-runtime-only", arguments->bundle.edge_runtime_only,
                     "of the modules only edgeAgent and edgeHub");
    bundle->add_flag("-q,--quiet", arguments->quiet, "say nothing when all is well");
    bundle->footer(
        "The daemon makes the archive while it is sent. In it: check.json (as of `skerry check`), logs/, inspect/, "
        "network/, modules.json, systeminfo.json, resources.json and config.json, without secrets.");
    bundle->callback([arguments, &invocation] {
        invocation.action = [arguments](Platform platform, Event& stop) { return run(*arguments, platform, stop); };
    });
}

}  // namespace skerry::cli
