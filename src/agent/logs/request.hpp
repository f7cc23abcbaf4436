// What GetModuleLogs and UploadModuleLogs are asked for (agent-and-daemon.md 4.2), and what all of the agent's methods
// have in common: their payload, and how it is refused.
//
// Bounds: 100 items, 1,000 characters of a regular expression, 100 of a time, 8 KiB of a SAS URL.
#pragma once

#include "agent/logs/pattern.hpp"

#include <boost/json/object.hpp>

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::agent {

struct Refusal {
    int status{400};  // 400: asked wrongly; 500: could not be done
    std::string text;
};
template <class T = void>
using Answer = std::expected<T, Refusal>;

// The payload of a method as an object with a schemaVersion that we know.
[[nodiscard]] Answer<boost::json::object> parse_method_payload(std::string_view payload);
// A member that must be a text and not empty.
[[nodiscard]] Answer<std::string> required_text(const boost::json::object& object, std::string_view name);
// A time as the daemon takes it: text, or a number (seconds since 1970). Empty when absent.
[[nodiscard]] Answer<std::string> optional_time(const boost::json::object& object, std::string_view name);

struct LogFilter {
    std::optional<std::size_t> tail;
    std::string since;  // as the daemon takes it; empty: from the first line
    std::string until;
    std::optional<int> level;  // this one or a more severe one, which is a smaller number
    std::optional<Pattern> text;

    // Docker counts its tail before it looks at the times.
    [[nodiscard]] bool counts_itself() const { return tail && !since.empty() && !until.empty(); }
};

struct LogItem {
    std::optional<Pattern> id;  // absent: all modules
    LogFilter filter;
};

enum class LogEncoding { none, gzip };
enum class LogContent { json, text };

struct LogRequest {
    std::vector<LogItem> items;
    LogEncoding encoding{LogEncoding::none};
    LogContent content{LogContent::json};

    // Of the first item that names the module; nullptr: it is not wanted.
    [[nodiscard]] const LogFilter* filter_for(std::string_view module) const;
};

[[nodiscard]] Answer<LogRequest> parse_log_request(const boost::json::object& payload);

}  // namespace skerry::agent
