#include "daemon/duration_text.hpp"

#include <algorithm>
#include <charconv>

namespace skerry::daemon {

using namespace std::chrono_literals;

namespace {
std::optional<std::chrono::seconds> unit_of(std::string_view name) {
    if (name.size() > 1 && name.ends_with('s')) name.remove_suffix(1);
    if (name == "s" || name == "sec" || name == "second") return 1s;
    if (name == "m" || name == "min" || name == "minute") return 60s;
    if (name == "h" || name == "hr" || name == "hour") return 3600s;
    if (name == "d" || name == "day") return 24 * 3600s;
    if (name == "w" || name == "week") return 7 * 24 * 3600s;
    return std::nullopt;
}

}  // namespace

std::optional<std::int64_t> whole_number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
    return value;
}

std::optional<std::chrono::seconds> parse_duration(std::string_view text) {
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

}  // namespace skerry::daemon
