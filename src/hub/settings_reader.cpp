#include "hub/settings_reader.hpp"

#include "base/encoding.hpp"

#include <fmt/format.h>

#include <charconv>

namespace skerry::hub {

namespace {

constexpr unsigned most_hours = 10 * 365 * 24;

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [stop, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<std::chrono::seconds> parse_span(std::string_view text, unsigned hours) {
    unsigned parts[3] = {};
    const char* at = text.data();
    const char* const end = at + text.size();
    for (int i = 0; i < 3; ++i) {
        const auto [stop, failed] = std::from_chars(at, end, parts[i]);
        const bool last = i == 2;
        if (failed != std::errc{} || parts[i] > (i == 0 ? hours : 59U) ||
            (last ? stop != end : stop == end || *stop != ':'))
            return std::nullopt;
        at = stop + 1;
    }
    return std::chrono::hours(parts[0]) + std::chrono::minutes(parts[1]) + std::chrono::seconds(parts[2]);
}

std::string span_text(Duration span) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(span).count();
    return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

}  // namespace

std::optional<std::string> SettingsReader::text(std::string_view name) {
    names_.emplace_back(name);
    auto text = environment_.find(name);
    if (text && text->empty()) return std::nullopt;
    return text;
}

void SettingsReader::complain(std::string_view name, std::string_view value, std::string_view rule,
                              std::string_view used) {
    complaints_.push_back(fmt::format("{} is '{}', but must be {}: {} is used instead", name, value, rule, used));
}

std::optional<std::uint64_t> SettingsReader::read_number(std::string_view name, std::uint64_t smallest,
                                                         std::uint64_t largest, std::uint64_t used) {
    const auto value = text(name);
    if (!value) return std::nullopt;
    const auto number = parse_number(*value);
    if (number && *number >= smallest && *number <= largest) return number;
    complain(name, *value, fmt::format("a whole number from {} to {}", smallest, largest), std::to_string(used));
    return std::nullopt;
}

void SettingsReader::seconds(std::string_view name, Duration& out, std::uint64_t smallest) {
    const auto used = std::chrono::duration_cast<std::chrono::seconds>(out).count();
    if (const auto value = read_number(name, smallest, 365ULL * 24 * 3600, static_cast<std::uint64_t>(used)))
        out = std::chrono::seconds(*value);
}

void SettingsReader::time_span(std::string_view name, Duration& out) {
    const auto value = text(name);
    if (!value) return;
    if (const auto span = parse_span(*value, 23))
        out = *span;
    else
        complain(name, *value, "hh:mm:ss", span_text(out));
}

void SettingsReader::age(std::string_view name, std::optional<std::chrono::seconds>& out) {
    const auto value = text(name);
    if (!value) return;
    auto span = parse_span(*value, most_hours);
    if (const auto seconds = parse_number(*value); seconds && *seconds <= std::uint64_t{most_hours} * 3600)
        span = std::chrono::seconds(*seconds);
    if (span && span->count() > 0)
        out = span;
    else
        complain(name, *value, "h:mm:ss or a number of seconds, and more than none",
                 out ? span_text(*out) : "no limit");
}

void SettingsReader::flag(std::string_view name, bool& out) {
    const auto value = text(name);
    if (!value) return;
    if (equals_ignoring_case(*value, "true"))
        out = true;
    else if (equals_ignoring_case(*value, "false"))
        out = false;
    else
        complain(name, *value, "true or false", out ? "true" : "false");
}

std::optional<std::size_t> SettingsReader::read_choice(std::string_view name,
                                                       const std::vector<std::string_view>& words, std::size_t used) {
    const auto value = text(name);
    if (!value) return std::nullopt;
    for (std::size_t n = 0; n < words.size(); ++n)
        if (equals_ignoring_case(*value, words[n])) return n;
    complain(name, *value, fmt::format("{}", fmt::join(words, " or ")), words[used]);
    return std::nullopt;
}

}  // namespace skerry::hub
