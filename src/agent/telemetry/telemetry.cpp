#include "agent/telemetry/telemetry.hpp"

#include "agent/telemetry/aggregate.hpp"
#include "base/backoff.hpp"
#include "base/log.hpp"
#include "base/timeout.hpp"
#include "net/http.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

namespace skerry::agent {

namespace {

using namespace std::chrono_literals;

constexpr std::string_view content_type = "application/x-azureiot-edgeruntimediagnostics";
constexpr std::size_t largest_page = 8 * 1024 * 1024;
constexpr std::size_t largest_file = 4 * 1024 * 1024;
constexpr Duration scrape_limit = 30s;
constexpr Duration first_retry = 5min;
constexpr Duration longest_retry = 12h;

struct Page {
    std::string host;
    std::uint16_t port{80};
    std::string path{"/"};
};

Result<Page> parse_url(std::string_view url) {
    constexpr std::string_view scheme = "http://";
    const auto refuse = [&] { return fail(Errc::malformed, fmt::format("'{}' is no http://host:port/path", url)); };
    if (!url.starts_with(scheme)) return refuse();
    auto rest = url.substr(scheme.size());
    Page page;
    if (const auto slash = rest.find('/'); slash != rest.npos) {
        page.path = rest.substr(slash);
        rest = rest.substr(0, slash);
    }
    if (const auto colon = rest.rfind(':'); colon != rest.npos) {
        const auto digits = rest.substr(colon + 1);
        const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), page.port);
        if (failed != std::errc() || end != digits.data() + digits.size() || page.port == 0) return refuse();
        rest = rest.substr(0, colon);
    }
    if (rest.empty()) return refuse();
    page.host = rest;
    return page;
}

void take_line(Aggregate& aggregate, std::string_view line) {
    auto sample = parse_sample(line);
    if (!sample) return;
    if (auto scrubbed = scrub(std::move(*sample))) aggregate.add(std::move(*scrubbed));
}

Task<Result<>> scrape_hub(Platform platform, std::string url, Aggregate& aggregate) {
    const auto page = parse_url(url);
    if (!page) co_return fail(page.error());
    net::HttpClient http(
        platform.clock, [&] { return platform.network.connect_tcp(page->host, page->port); }, {}, page->host);
    Lines lines;
    std::size_t size = 0;
    const auto take = [&](std::string_view bytes) {
        lines.feed(bytes, [&](std::string_view line) { take_line(aggregate, line); });
        size += bytes.size();
        return size <= largest_page;
    };
    codec::HttpRequest request{.method = "GET", .target = page->path, .headers = {}, .body = {}};
    const auto answer = co_await http.stream(std::move(request), take);
    if (!answer) co_return fail(answer.error());
    if (answer->status != 200) co_return fail(Errc::io, fmt::format("it answered {}", answer->status));
    co_return Result<>{};
}

bool may_pass(Errc code) {
    return code == Errc::unreachable || code == Errc::timeout || code == Errc::closed || code == Errc::full;
}

}  // namespace

Diagnostics Telemetry::load() {
    auto& files = parts_.platform.files;
    if (!files.exists(file())) return {};
    const auto bytes = storage::read_file(files, file(), largest_file);
    auto read = bytes ? Diagnostics::decode(*bytes) : Result<Diagnostics>(fail(bytes.error()));
    if (!read) log::warn("{}: {}; it is written anew", file().native(), read.error().text);
    auto diagnostics = std::move(read).value_or(Diagnostics());
    diagnostics.forget_before(parts_.platform.clock.wall() - parts_.settings.longest_kept);
    return diagnostics;
}

void Telemetry::save(const Diagnostics& diagnostics) {
    auto& files = parts_.platform.files;
    auto saved = files.make_folders(parts_.folder, 0700);
    if (saved) saved = storage::replace_file(files, file(), diagnostics.encode());
    if (!saved) log::warn("Saving the runtime quality telemetry failed: {}", saved.error().text);
}

Task<> Telemetry::scrape() {
    Aggregate aggregate;
    Lines lines;
    lines.feed(parts_.own_page(), [&](std::string_view line) { take_line(aggregate, line); });
    const auto hub = co_await with_timeout<void>(parts_.platform.clock, scrape_limit,
                                                 scrape_hub(parts_.platform, parts_.settings.hub_page, aggregate));
    if (!hub) log::debug("The hub's metrics can't be read: {}", hub.error().text);
    auto diagnostics = load();
    diagnostics.add(aggregate.take(), parts_.platform.clock.wall());
    save(diagnostics);
}

Task<> Telemetry::keep_scraping() {
    if (!parts_.settings.enabled) co_return;
    log::info("Runtime quality telemetry is on (SendRuntimeQualityTelemetry): see docs/telemetry.md");
    for (;;) {
        co_await parts_.platform.clock.sleep(parts_.settings.scrape_every);
        co_await scrape();
    }
}

// What was sent is forgotten; what was scraped meanwhile stays for the next time.
Task<Result<>> Telemetry::upload() {
    const auto messages = load().messages();
    const auto until = parts_.platform.clock.wall();
    for (const auto& body : messages) {
        auto message = std::make_shared<model::Message>();
        message->body = body;
        message->set_system_property("contentType", content_type);
        auto sent = co_await parts_.send(std::move(message));
        if (!sent && may_pass(sent.error().code)) co_return sent;
        if (!sent) log::warn("The cloud refuses the runtime quality telemetry: {}; it is dropped", sent.error().text);
    }
    auto left = load();
    left.forget_before(until);
    save(left);
    co_return Result<>{};
}

Task<> Telemetry::keep_uploading() {
    if (!parts_.settings.enabled) co_return;
    auto& platform = parts_.platform;
    const auto most = static_cast<std::uint64_t>(parts_.settings.upload_every.count());
    co_await platform.clock.sleep(Duration(static_cast<std::int64_t>(platform.random.below(most))));
    Backoff retry(platform.random, first_retry, longest_retry);
    for (;;) {
        const auto sent = co_await upload();
        if (!sent) log::debug("The runtime quality telemetry can't be sent now: {}", sent.error().text);
        if (sent) retry.reset();
        co_await platform.clock.sleep(sent ? parts_.settings.upload_every : retry.next());
    }
}

}  // namespace skerry::agent
