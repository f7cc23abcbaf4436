#include "daemon/log_query.hpp"

#include "daemon/duration_text.hpp"

namespace skerry::daemon {

using namespace std::chrono_literals;

namespace {
Result<bool> flag(const codec::HttpRequest& request, std::string_view name) {
    const auto text = request.query(name);
    if (!text || *text == "false") return false;
    if (*text == "true") return true;
    return fail(Errc::malformed, "invalid parameter: " + std::string(name));
}
}  // namespace

std::optional<WallTime> parse_log_time(std::string_view text, WallTime now) {
    constexpr std::int64_t year_2200 = 7'258'118'400;
    if (const auto seconds = whole_number(text))
        return *seconds <= year_2200 ? std::optional(WallTime(std::chrono::seconds(*seconds))) : std::nullopt;
    if (const auto time = parse_rfc3339(text)) return time;
    if (const auto ago = parse_duration(text)) return now - *ago;
    return std::nullopt;
}

Result<std::optional<WallTime>> log_time_at(const codec::HttpRequest& request, std::string_view name, WallTime now) {
    const auto text = request.query(name);
    if (!text || text->empty()) return std::nullopt;
    const auto time = parse_log_time(*text, now);
    if (!time) return fail(Errc::malformed, "invalid parameter: " + std::string(name));
    return time;
}

Result<engine::LogOptions> parse_log_query(const codec::HttpRequest& request, WallTime now) {
    engine::LogOptions options;
    const auto follow = flag(request, "follow");
    if (!follow) return std::unexpected(follow.error());
    const auto timestamps = flag(request, "timestamps");
    if (!timestamps) return std::unexpected(timestamps.error());
    const auto since = log_time_at(request, "since", now);
    if (!since) return std::unexpected(since.error());
    const auto until = log_time_at(request, "until", now);
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
