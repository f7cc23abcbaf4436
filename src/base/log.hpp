// One line per event on standard output, as the existing runtime writes it:
//   <6> 2024-01-31 10:00:00.000 +00:00 [INF] - text
// The process has one log; it is set up once in main and is safe from every thread.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace skerry::log {

enum class Level : std::uint8_t { debug, info, warning, error, fatal };
enum class Format : std::uint8_t { text, json };

// "fatal error warning info(rmation) debug verbose"; text after a comma is ignored.
[[nodiscard]] std::optional<Level> parse_level(std::string_view text);

void configure(Level level, Format format);
[[nodiscard]] bool enabled(Level level);
void write(Level level, std::string_view text);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::debug)) write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::info)) write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::warning)) write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::error)) write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void fatal(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::fatal)) write(Level::fatal, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace skerry::log
