#include "agent/logs/line.hpp"

#include "base/clock.hpp"
#include "base/encoding.hpp"

#include <boost/json/value.hpp>

#include <algorithm>

namespace skerry::agent {

namespace {

void skip_spaces(std::string_view& text) { text.remove_prefix(std::min(text.find_first_not_of(' '), text.size())); }

// Whether `text` begins as `shape` says: 0 stands for a digit, anything else for itself, + also for -.
bool begins_like(std::string_view text, std::string_view shape) {
    if (text.size() < shape.size()) return false;
    for (std::size_t at = 0; at < shape.size(); ++at) {
        const char c = text[at];
        const bool fits = shape[at] == '0'   ? c >= '0' && c <= '9'
                          : shape[at] == '+' ? c == '+' || c == '-'
                                             : c == shape[at];
        if (!fits) return false;
    }
    return true;
}

// "2024-01-31T10:00:00.123456789Z "
std::string take_engine_time(std::string_view& rest) {
    if (!begins_like(rest, "0000-00-00T00:00:00")) return {};
    const auto end = rest.find('Z');
    constexpr std::size_t longest = 30;
    if (end == rest.npos || end >= longest || !parse_rfc3339(rest.substr(0, end + 1))) return {};
    std::string time(rest.substr(0, end + 1));
    rest.remove_prefix(end + 1);
    if (rest.starts_with(' ')) rest.remove_prefix(1);
    return time;
}

// "2024-01-31 10:00:00.000 +01:00"
std::string take_own_time(std::string_view& rest) {
    constexpr std::string_view shape = "0000-00-00 00:00:00.000 +00:00";
    if (!begins_like(rest, shape)) return {};
    std::string text(rest.substr(0, shape.size()));
    text[10] = 'T';
    text.erase(23, 1);
    const auto time = parse_rfc3339(text);
    if (!time) return {};
    rest.remove_prefix(shape.size());
    return format_rfc3339(*time);
}

std::size_t utf8_length(std::string_view text) {
    for (std::size_t length = 1; length <= std::min<std::size_t>(4, text.size()); ++length)
        if (is_utf8(text.substr(0, length))) return length;
    return 0;
}

}  // namespace

LogLine parse_log_line(int stream, std::string_view raw) {
    LogLine line{.stream = stream, .text = {}, .timestamp = {}, .raw = raw};
    auto rest = raw;
    while (rest.ends_with('\n') || rest.ends_with('\r')) rest.remove_suffix(1);
    line.timestamp = take_engine_time(rest);
    if (begins_like(rest, "<0>") && rest[1] <= '7') {
        line.level = rest[1] - '0';
        rest.remove_prefix(3);
        skip_spaces(rest);
    }
    auto own = take_own_time(rest);
    if (!own.empty()) skip_spaces(rest);
    if (line.timestamp.empty()) line.timestamp = std::move(own);
    line.text = rest;
    return line;
}

boost::json::object to_json(const LogLine& line, std::string_view hub, std::string_view device,
                            std::string_view module) {
    boost::json::object record{{"iothub", hub},          {"device", device},
                               {"id", module},           {"stream", line.stream == 2 ? "stderr" : "stdout"},
                               {"loglevel", line.level}, {"text", as_utf8(line.text)},
                               {"timestamp", nullptr}};
    if (!line.timestamp.empty()) record["timestamp"] = line.timestamp;
    return record;
}

std::string as_utf8(std::string_view text) {
    if (is_utf8(text)) return std::string(text);
    std::string out;
    while (!text.empty()) {
        const auto length = utf8_length(text);
        if (length == 0)
            out += "\xef\xbf\xbd";
        else
            out += text.substr(0, length);
        text.remove_prefix(std::max<std::size_t>(1, length));
    }
    return out;
}

}  // namespace skerry::agent
