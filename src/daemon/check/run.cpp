#include "base/timeout.hpp"
#include "daemon/check/subject.hpp"
#include "daemon/disks.hpp"
#include "daemon/system_info.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace skerry::daemon {

namespace json = boost::json;
using namespace std::chrono_literals;

namespace {
constexpr Duration longest_check = 10s;

std::vector<const Check*> all_checks() {
    std::vector<const Check*> all;
    for (const auto checks : {configuration_checks(), connectivity_checks()})
        for (const auto& check : checks) all.push_back(&check);
    return all;
}

Task<Outcome> carry_out(const Check& check, Subject& subject, SteadyTime deadline) {
    if (subject.options.dont_run.contains(check.info.id)) co_return Outcome{Verdict::ignored, {"left out as asked"}};
    if (check.needs_config && !subject.config) co_return Outcome{Verdict::skipped, {"the configuration can't be used"}};
    auto& clock = subject.platform.clock;
    const auto left = deadline - clock.steady();
    if (left <= 0s) co_return Outcome{Verdict::skipped, {"no time was left for it"}};
    const auto limit = std::min<Duration>(left, longest_check);
    auto outcome = co_await with_timeout(clock, limit, check.run(subject));
    if (outcome) co_return std::move(*outcome);
    co_return Outcome{Verdict::error, {outcome.error().text}};
}

json::object describe(Subject& subject) {
    auto& files = subject.platform.files;
    const auto system = describe_system(files, {});
    auto resources = describe_memory(files);
    resources["disks"] = json::array{};
    if (subject.config) resources["disks"] = describe_disks(files, subject.config->home);
    return {{"docker_version", subject.engine_version.empty() ? json::value() : json::value(subject.engine_version)},
            {"aziot_edged_version", system.at("version")},
            {"now", format_rfc3339(subject.platform.clock.wall())},
            {"os",
             {{"id", system.at("operating_system")},
              {"version_id", system.at("operating_system_version")},
              {"arch", system.at("architecture")},
              {"bitness", sizeof(void*) * 8}}},
            {"system_info", std::move(resources)}};
}
}  // namespace

std::vector<CheckInfo> list_checks() {
    std::vector<CheckInfo> all;
    for (const auto* const check : all_checks()) all.push_back(check->info);
    return all;
}

Task<CheckReport> run_checks(Platform platform, CheckOptions options) {
    Subject subject{.platform = platform,
                    .options = options,
                    .config = {},
                    .trusted = {},
                    .engine_version = {},
                    .modules = {},
                    .hub_time = {}};
    const auto deadline = platform.clock.steady() + options.budget;
    CheckReport report;
    for (const auto* const check : all_checks()) {
        auto outcome = co_await carry_out(*check, subject, deadline);
        report.results.push_back({check->info, outcome.verdict, std::move(outcome.details)});
    }
    report.additional_info = describe(subject);
    co_return report;
}

}  // namespace skerry::daemon
