#include "agent/settings.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "model/manifest.hpp"

#include <algorithm>
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

// .NET's "[d.]h:mm:ss".
std::optional<Duration> parse_time_span(std::string_view text) {
    const auto take = [&text](char end, std::int64_t most) -> std::optional<std::int64_t> {
        std::int64_t value = 0;
        const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        const auto digits = static_cast<std::size_t>(stop - text.data());
        const bool ends = end == '\0' ? digits == text.size() : digits < text.size() && text[digits] == end;
        if (error != std::errc() || !ends || value < 0 || value > most) return std::nullopt;
        text.remove_prefix(std::min(digits + 1, text.size()));
        return value;
    };
    constexpr std::int64_t most_days = 10'000;
    const auto days = text.contains('.') ? take('.', most_days) : std::optional<std::int64_t>(0);
    const auto hours = days ? take(':', 23) : std::nullopt;
    const auto minutes = hours ? take(':', 59) : std::nullopt;
    const auto seconds = minutes ? take('\0', 59) : std::nullopt;
    if (!seconds) return std::nullopt;
    return std::chrono::days(*days) + std::chrono::hours(*hours) + std::chrono::minutes(*minutes) +
           std::chrono::seconds(*seconds);
}

void read_time_span(const daemonapi::Environment& environment, std::string_view name, Duration least, Duration& out) {
    const auto text = environment.value_or(name, "");
    if (text.empty()) return;
    if (const auto span = parse_time_span(text))
        out = std::max(least, *span);
    else
        log::warn("The variable {} must be a time as h:mm:ss or d.hh:mm:ss; its default is used", name);
}

void read_metrics(const daemonapi::Environment& environment, MetricsSettings& metrics) {
    for (const auto* name : {"metrics__listener__MetricsEnabled", "MetricsEnabled"})
        if (const auto enabled = on_or_off(environment, name)) metrics.enabled = *enabled;
    for (const auto* name : {"metrics__listener__MetricsHistogramMaxAge", "MetricsHistogramMaxAge"})
        read_time_span(environment, name, std::chrono::minutes(1), metrics.age);
    read_time_span(environment, "PerformanceMetricsUpdateFrequency", std::chrono::seconds(5), metrics.measure_every);
    if (const auto port = number(environment, "metrics__listener__port", 0, 65535))
        metrics.port = static_cast<std::uint16_t>(*port);
    const auto host = environment.value_or("metrics__listener__host", "");
    metrics.address = host == "*" || host == "+" ? std::string() : host;
    auto suffix = environment.value_or("metrics__listener__suffix", metrics.suffix);
    while (suffix.ends_with('/')) suffix.pop_back();
    metrics.suffix = suffix.substr(std::min(suffix.find_first_not_of('/'), suffix.size()));
}

void read_telemetry(const daemonapi::Environment& environment, TelemetrySettings& telemetry) {
    constexpr Duration least = std::chrono::seconds(10);
    if (const auto send = on_or_off(environment, "SendRuntimeQualityTelemetry")) telemetry.enabled = *send;
    read_time_span(environment, "MetricScrapeInterval", least, telemetry.scrape_every);
    read_time_span(environment, "MetricUploadInterval", least, telemetry.upload_every);
    read_time_span(environment, "MetricMaxUploadAge", least, telemetry.longest_kept);
    telemetry.hub_page = environment.value_or("SKERRY_HUB_METRICS", telemetry.hub_page);
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
    read_metrics(environment, settings.metrics);
    read_telemetry(environment, settings.telemetry);
    settings.wait_for_all_pulls = equals_ignoring_case(environment.value_or("ModuleUpdateMode", ""), "WaitForAllPulls");
    const auto folder = environment.value_or("StorageFolder", "");
    if (!folder.empty()) settings.storage = std::filesystem::path(folder) / "edgeAgent";
    return settings;
}

}  // namespace skerry::agent
