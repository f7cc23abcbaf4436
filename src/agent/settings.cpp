#include "agent/settings.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "model/manifest.hpp"

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::agent {

namespace {

std::optional<std::int64_t> number(const daemonapi::Environment& environment, std::string_view name, std::int64_t least,
                                   std::int64_t most) {
    const auto text = environment.find(name);
    if (!text || text->empty()) return std::nullopt;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error == std::errc() && end == text->data() + text->size() && value >= least && value <= most) return value;
    log::warn("The variable {} must be a number from {} to {}; its default is used", name, least, most);
    return std::nullopt;
}

std::optional<bool> on_or_off(const daemonapi::Environment& environment, std::string_view name) {
    const auto text = environment.value_or(name, "");
    if (text.empty()) return std::nullopt;
    for (const auto* yes : {"on", "true", "1"})
        if (equals_ignoring_case(text, yes)) return true;
    for (const auto* no : {"off", "false", "0"})
        if (equals_ignoring_case(text, no)) return false;
    log::warn("The variable {} must be on or off; its default is used", name);
    return std::nullopt;
}

void read_probation(const daemonapi::Environment& environment, ProbationPolicy& policy) {
    if (const auto rollback = on_or_off(environment, "SKERRY_ROLLBACK")) policy.rollback = *rollback;
    if (const auto seconds = number(environment, "SKERRY_PROBATION_SECONDS", 0, model::longest_probation_seconds))
        policy.window = std::chrono::seconds(*seconds);
    if (const auto most = number(environment, "SKERRY_PROBATION_FAILURES", 0, model::most_failures_allowed))
        policy.failures_allowed = static_cast<int>(*most);
}

}  // namespace

Settings Settings::from(const daemonapi::Environment& environment) {
    Settings settings;
    if (const auto most = number(environment, "MaxRestartCount", 1, 1'000'000)) {
        settings.restart.max_restarts = static_cast<int>(*most);
        settings.restart.gives_up = true;
    }
    if (const auto unit = number(environment, "CoolOffTimeUnitInSeconds", 1, 3600))
        settings.restart.unit = std::chrono::seconds(*unit);
    if (const auto minutes = number(environment, "IntensiveCareTimeInMinutes", 1, 10'000))
        settings.restart.healthy_after = std::chrono::minutes(*minutes);
    if (const auto seconds = number(environment, "ConfigRefreshFrequencySecs", 1, 10'000'000))
        settings.refresh = std::chrono::seconds(*seconds);
    read_probation(environment, settings.probation);
    settings.wait_for_all_pulls = equals_ignoring_case(environment.value_or("ModuleUpdateMode", ""), "WaitForAllPulls");
    const auto folder = environment.value_or("StorageFolder", "");
    if (!folder.empty()) settings.storage = std::filesystem::path(folder) / "edgeAgent";
    return settings;
}

}  // namespace skerry::agent
