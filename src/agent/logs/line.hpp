// One line of a module's log, taken apart: [engine's time] [<level>] [the module's own time] text.
#pragma once

#include <boost/json/object.hpp>

#include <string>
#include <string_view>

namespace skerry::agent {

struct LogLine {
    int stream{1};  // 1 standard output, 2 standard error
    int level{6};   // as syslog's: 0 worst, 7 debug
    std::string_view text;
    std::string timestamp;  // RFC 3339; empty when the line has none
    std::string_view raw;   // with its line break
};

// The views are into `raw`. The engine's time goes before the module's.
[[nodiscard]] LogLine parse_log_line(int stream, std::string_view raw);

// The record of a JSON log. Bytes that are no UTF-8 are replaced.
[[nodiscard]] boost::json::object to_json(const LogLine& line, std::string_view hub, std::string_view device,
                                          std::string_view module);

// With U+FFFD for each byte that is not UTF-8.
[[nodiscard]] std::string as_utf8(std::string_view text);

}  // namespace skerry::agent
