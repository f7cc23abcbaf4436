#include "cli/module_table.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace skerry::cli {

namespace {

using namespace std::chrono_literals;

std::string some(std::int64_t count, std::string_view unit, std::string_view one) {
    return count == 1 ? std::string(one) : fmt::format("{} {}s", count, unit);
}

std::string duration_text(Duration duration) {
    const auto seconds = std::max<std::int64_t>(0, duration / 1s);
    if (seconds < 1) return "less than a second";
    if (seconds < 60) return some(seconds, "second", "1 second");
    if (seconds < 3600) return some(seconds / 60, "minute", "a minute");
    if (seconds < 48 * 3600) return some(seconds / 3600, "hour", "an hour");
    return some(seconds / 86400, "day", "a day");
}

std::string ago(const std::optional<WallTime>& time, WallTime now) {
    return time ? ' ' + duration_text(now - *time) + " ago" : std::string{};
}

}  // namespace

std::string description_of(const model::ModuleStatus& module, WallTime now) {
    switch (module.state) {
        case model::RuntimeState::running: return module.started ? "Up " + duration_text(now - *module.started) : "Up";
        case model::RuntimeState::stopped: return "Stopped" + ago(module.exited, now);
        case model::RuntimeState::failed:
            return fmt::format("Failed ({}){}", module.exit_code ? std::to_string(*module.exit_code) : "unknown",
                               ago(module.exited, now));
        case model::RuntimeState::dead: return "Dead";
        case model::RuntimeState::unknown: break;
    }
    return "Unknown";
}

std::string module_table(std::vector<model::ModuleStatus> modules, WallTime now) {
    std::ranges::sort(modules, {}, &model::ModuleStatus::name);
    using Line = std::array<std::string, 4>;
    std::vector<Line> lines{{"NAME", "STATUS", "DESCRIPTION", "Config"}};
    for (const auto& module : modules)
        lines.push_back({module.name, std::string(name_of(module.state)), description_of(module, now), module.image});
    constexpr std::size_t least = 15;
    std::array<std::size_t, 4> widths{least, least, least, 0};
    for (const auto& line : lines)
        for (std::size_t i = 0; i < 3; ++i) widths[i] = std::max(widths[i], line[i].size() + 1);
    std::string out;
    for (const auto& [name, state, description, image] : lines)
        out +=
            fmt::format("{:<{}} {:<{}} {:<{}} {}\n", name, widths[0], state, widths[1], description, widths[2], image);
    return out;
}

}  // namespace skerry::cli
