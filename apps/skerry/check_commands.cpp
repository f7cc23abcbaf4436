#include "check_commands.hpp"

#include "base/timeout.hpp"
#include "daemon/check/check.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <boost/json/serialize.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

namespace {

using namespace skerry;

struct Arguments {
    daemon::CheckOptions check;
    std::string dont_run;  // ids with blanks between them, as the existing command has it
    std::string format{"text"};
    bool verbose{false};
    bool warnings_as_errors{false};
};

// The first word in the list that is no check's id.
std::string read_ids(std::string_view text, std::set<std::string, std::less<>>& ids) {
    const auto known = daemon::list_checks();
    while (true) {
        const auto begin = text.find_first_not_of(" ,");
        if (begin == text.npos) return {};
        text.remove_prefix(begin);
        std::string id(text.substr(0, text.find_first_of(" ,")));
        text.remove_prefix(id.size());
        if (std::ranges::find(known, id, &daemon::CheckInfo::id) == known.end()) return id;
        ids.insert(std::move(id));
    }
}

Task<Result<daemon::CheckReport>> checked(Platform platform, daemon::CheckOptions options) {
    co_return co_await daemon::run_checks(platform, std::move(options));
}

Task<Result<daemon::CheckReport>> until_stopped(Event& stop) {
    co_await stop.wait();
    co_return fail(Errc::closed, "interrupted");
}

Task<int> run_check(Arguments arguments, Platform platform, Event& stop) {
    constexpr int wrong_usage = 2;
    constexpr int interrupted = 130;
    if (const auto unknown = read_ids(arguments.dont_run, arguments.check.dont_run); !unknown.empty()) {
        fmt::print(stderr, "skerry: --dont-run: '{}' is no check; `skerry check-list` lists those there are\n",
                   unknown);
        co_return wrong_usage;
    }
    const auto report = co_await first_of<daemon::CheckReport>(checked(platform, arguments.check), until_stopped(stop));
    if (!report) {
        fmt::print(stderr, "skerry: {}\n", report.error().text);
        co_return interrupted;
    }
    if (arguments.format == "json")
        fmt::print("{}\n", boost::json::serialize(daemon::report_json(*report)));
    else
        fmt::print("{}", daemon::report_text(*report, arguments.verbose));
    const bool warned = arguments.warnings_as_errors && report->count(daemon::Verdict::warning) > 0;
    co_return report->failed() || warned ? 1 : 0;
}

int print_list() {
    for (const auto& check : daemon::list_checks())
        fmt::print("{:<15} {:<31} {}\n", check.section, check.id, check.description);
    return 0;
}

}  // namespace

void add_check_commands(CLI::App& app, cli::Invocation& invocation) {
    auto* const check = app.add_subcommand("check", "look for mistakes in this device's configuration and connections");
    const auto arguments = std::make_shared<Arguments>();
    check->add_option("-c,--config", arguments->check.config, "the daemon's configuration file")->capture_default_str();
    check->add_option("-o,--output", arguments->format, "text or json")
        ->check(CLI::IsMember({"text", "json"}))
        ->capture_default_str();
    check->add_option("--dont-run", arguments->dont_run, "ids of checks to leave out, with blanks between them");
    check->add_flag("--verbose", arguments->verbose, "show what was skipped or left out, too");
    check->add_flag("--warnings-as-errors", arguments->warnings_as_errors, "exit with 1 on warnings, too");
    check->footer("Exit status: 0 no errors, 1 errors, 2 wrong usage. Reads and connects only; changes nothing.");
    check->callback([arguments, &invocation] {
        invocation.action = [arguments](Platform platform, Event& stop) {
            return run_check(*arguments, platform, stop);
        };
    });
    auto* const list = app.add_subcommand("check-list", "the checks, by section and id");
    list->callback([&invocation] { invocation.filter = &print_list; });
}
