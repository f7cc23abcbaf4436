#include "daemon/log_query.hpp"

#include <charconv>

namespace skerry::daemon {

using namespace std::chrono_literals;

namespace {
std::optional<std::int64_t> whole_number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
    return value;
}

std::optional<std::chrono::seconds> unit_of(std::string_view name) {
    if (name.size() > 1 && name.ends_with('s')) name.remove_suffix(1);
    if (name == "s" || name == "sec" || name == "second") return 1s;
    if (name == "m" || name == "min" || name == "minute") return 60s;
    if (name == "h" || name == "hr" || name == "hour") return 3600s;
    if (name == "d" || name == "day") return 24 * 3600s;
    if (name == "w" || name == "week") return 7 * 24 * 3600s;
    return std::nullopt;
}

// "1 day", "90m", "2h 30min"
std::optional<std::chrono::seconds> duration_of(std::string_view text) {
    constexpr std::int64_t longest = 100LL * 365 * 24 * 3600;
    std::chrono::seconds total{0};
    bool any = false;
    while (!text.empty()) {
        if (text.front() == ' ') {
            text.remove_prefix(1);
            continue;
        }
        const auto digits = text.find_first_not_of("0123456789");
        const auto count = whole_number(text.substr(0, digits));
        if (!count || digits == text.npos) return std::nullopt;
        text.remove_prefix(std::min(text.find_first_not_of(' ', digits), text.size()));
        const auto end = text.find_first_of(" 0123456789");
        const auto unit = unit_of(text.substr(0, end));
        if (!unit || *count > longest / unit->count()) return std::nullopt;
        total += *count * *unit;
        if (total.count() > longest) return std::nullopt;
        text.remove_prefix(end == text.npos ? text.size() : end);
        any = true;
    }
    return any ? std::optional(total) : std::nullopt;
}

Result<bool> flag(const codec::HttpRequest& request, std::string_view name) {
    const auto text = request.query(name);
    if (!text || *text == "false") return false;
    if (*text == "true") return true;
    return fail(Errc::malformed, "invalid parameter: " + std::string(name));
}

Result<std::optional<WallTime>> moment(const codec::HttpRequest& request, std::string_view name, WallTime now) {
    const auto text = request.query(name);
    if (!text || text->empty()) return std::nullopt;
    const auto time = parse_log_time(*text, now);
    if (!time) return fail(Errc::malformed, "invalid parameter: " + std::string(name));
    return time;
}
}  // namespace

std::optional<WallTime> parse_log_time(std::string_view text, WallTime now) {
    constexpr std::int64_t year_2200 = 7'258'118'400;
    if (const auto seconds = whole_number(text))
        return *seconds <= year_2200 ? std::optional(WallTime(std::chrono::seconds(*seconds))) : std::nullopt;
    if (const auto time = parse_rfc3339(text)) return time;
    if (const auto ago = duration_of(text)) return now - *ago;
    return std::nullopt;
}

Result<engine::LogOptions> parse_log_query(const codec::HttpRequest& request, WallTime now) {
    engine::LogOptions options;
    const auto follow = flag(request, "follow");
    if (!follow) return std::unexpected(follow.error());
    const auto timestamps = flag(request, "timestamps");
    if (!timestamps) return std::unexpected(timestamps.error());
    const auto since = moment(request, "since", now);
    if (!since) return std::unexpected(since.error());
    const auto until = moment(request, "until", now);
    if (!until) return std::unexpected(until.error());
    if (const auto tail = request.query("tail"); tail && !tail->empty() && *tail != "all") {
        const auto lines = whole_number(*tail);
        if (!lines) return fail(Errc::malformed, "invalid parameter: tail");
        options.tail = static_cast<std::size_t>(*lines);
    }
    options.follow = *follow;
    options.timestamps = *timestamps;
    options.since = *since;
    options.until = *until;
    return options;
}

}  // namespace skerry::daemon
