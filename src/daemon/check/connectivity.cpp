// Checks that talk to the engine, the daemon and the hub (or the parent that stands for it).
#include "daemon/check/subject.hpp"
#include "daemonapi/management_client.hpp"
#include "engine/moby/client.hpp"
#include "net/http.hpp"
#include "net/tls.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

namespace skerry::daemon {

using namespace std::chrono_literals;

namespace {
constexpr std::string_view section = "Connectivity";
constexpr Duration call_limit = 8s;
constexpr Duration tolerated_drift = 10s;

Task<Result<Outcome>> engine_answers(Subject& subject) {
    if (!subject.config->moby) co_return Outcome{Verdict::ignored, {"modules are plain processes"}};
    auto& platform = subject.platform;
    engine::moby::Client client(platform.network, platform.clock, subject.config->moby->socket);
    const auto version = co_await client.connect();
    if (!version) co_return fail(version.error());
    subject.engine_version = version->server;
    co_return Outcome{};
}

Task<Result<Outcome>> daemon_answers(Subject& subject) {
    auto& platform = subject.platform;
    const auto& uri = subject.config->management_uri;
    auto client = daemonapi::ManagementClient::create(platform.network, platform.clock, uri);
    if (!client) co_return fail(client.error().while_doing("connect.management_uri"));
    auto modules = co_await (*client)->list_modules();
    if (!modules) co_return fail(modules.error().while_doing("connect.management_uri " + uri));
    subject.modules = std::move(modules->modules);
    co_return Outcome{};
}

Task<Result<Outcome>> modules_run(Subject& subject) {
    if (!subject.modules) co_return Outcome{Verdict::skipped, {"the daemon does not answer"}};
    Outcome outcome;
    for (const auto& module : *subject.modules) {
        const bool broken = module.state == model::RuntimeState::failed || module.state == model::RuntimeState::dead;
        if (!broken && module.health != model::Health::unhealthy) continue;
        const auto state = broken ? name_of(module.state) : std::string_view("unhealthy");
        const auto* const colon = module.description.empty() ? "" : ": ";
        outcome.details.push_back(fmt::format("{} ({}){}{}", module.name, state, colon, module.description));
    }
    if (!outcome.details.empty()) outcome.verdict = Verdict::warning;
    co_return outcome;
}

Result<std::shared_ptr<net::TlsClient>> tls_of(const Subject& subject) {
    net::TlsClient::Options options;
    options.trusted_pem = subject.trusted;
    return net::TlsClient::create(options);
}

std::string at(const Subject& subject, std::uint16_t port) { return fmt::format("{}:{}", subject.upstream(), port); }

// Any answer will do: who answers is there.
Task<Result<Outcome>> https_connects(Subject& subject) {
    auto& platform = subject.platform;
    const auto port = subject.options.https_port;
    auto tls = tls_of(subject);
    if (!tls) co_return fail(tls.error().while_doing("trust_bundle_cert"));
    const auto& host = subject.upstream();
    net::HttpClient http(platform.clock, net::tls_connector(platform.network, host, port, std::move(*tls)), {}, host);
    const auto response = co_await http.exchange({}, call_limit);
    if (!response) co_return fail(response.error().while_doing(at(subject, port)));
    if (const auto date = response->headers.find("Date")) subject.hub_time = parse_http_date(*date);
    co_return Outcome{};
}

Task<Result<Outcome>> mqtt_connects(Subject& subject) {
    const auto port = subject.options.mqtt_port;
    auto tls = tls_of(subject);
    if (!tls) co_return fail(tls.error().while_doing("trust_bundle_cert"));
    auto stream = co_await subject.platform.network.connect_tls(subject.upstream(), port, std::move(*tls));
    if (!stream) co_return fail(stream.error().while_doing(at(subject, port)));
    (*stream)->close();
    co_return Outcome{};
}

// Tokens are refused by a hub whose clock is far from ours.
Task<Result<Outcome>> clock_agrees(Subject& subject) {
    if (!subject.hub_time) co_return Outcome{Verdict::ignored, {"the hub did not tell the time"}};
    const auto drift = subject.platform.clock.wall() - *subject.hub_time;
    if (std::chrono::abs(drift) <= tolerated_drift) co_return Outcome{};
    co_return Outcome{Verdict::warning,
                      {fmt::format("the clock is {} s {} the hub's", std::chrono::abs(drift) / 1s,
                                   drift > 0s ? "ahead of" : "behind")}};
}

// Exactly so many digits.
std::optional<int> number_at(std::string_view text, std::size_t at, std::size_t digits) {
    int value = 0;
    const auto part = text.substr(std::min(at, text.size()), digits);
    const auto [end, failed] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (failed != std::errc{} || end != part.data() + part.size() || part.size() != digits || value < 0)
        return std::nullopt;
    return value;
}
}  // namespace

std::optional<WallTime> parse_http_date(std::string_view text) {
    constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    constexpr std::size_t length = 29;
    if (text.size() != length || text.substr(3, 2) != ", " || !text.ends_with(" GMT")) return std::nullopt;
    const auto* const month = std::ranges::find(months, text.substr(8, 3));
    const auto day = number_at(text, 5, 2);
    const auto year = number_at(text, 12, 4);
    const auto hour = number_at(text, 17, 2);
    const auto minute = number_at(text, 20, 2);
    const auto second = number_at(text, 23, 2);
    if (month == months.end() || !day || !year || !hour || !minute || !second) return std::nullopt;
    // By way of RFC 3339: that one knows what days and times there are.
    return parse_rfc3339(fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", *year, month - months.begin() + 1, *day,
                                     *hour, *minute, *second));
}

namespace {
constexpr std::array<Check, 6> checks{{
    {{"container-engine-uri", section, "the container engine answers"}, true, &engine_answers},
    {{"connect-management-uri", section, "the daemon's management API answers"}, true, &daemon_answers},
    {{"modules-running", section, "no module has failed"}, true, &modules_run},
    {{"host-connect-iothub-https", section, "the hub or parent can be reached by HTTPS"}, true, &https_connects},
    {{"host-connect-iothub-mqtt", section, "the hub or parent can be reached by MQTT"}, true, &mqtt_connects},
    {{"host-local-time", section, "the clock agrees with the hub's"}, true, &clock_agrees},
}};
}  // namespace

std::span<const Check> connectivity_checks() { return checks; }

}  // namespace skerry::daemon
