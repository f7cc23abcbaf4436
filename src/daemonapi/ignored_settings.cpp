#include "daemonapi/ignored_settings.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"

#include <fmt/format.h>

namespace skerry::daemonapi {

std::vector<const IgnoredSetting*> ignored_in(std::span<const IgnoredSetting> all, const Environment& environment) {
    std::vector<const IgnoredSetting*> found;
    for (const auto& each : all) {
        auto name = each.name;
        bool set = false;
        if (name.ends_with('*')) {
            name.remove_suffix(1);
            set = environment.has_like(name);
        } else if (const auto value = environment.find(name); value && !value->empty()) {
            set = each.as_is != "*" && !equals_ignoring_case(*value, each.as_is);
        }
        if (set) found.push_back(&each);
    }
    return found;
}

void tell_of_ignored(std::span<const IgnoredSetting> all, const Environment& environment) {
    for (const auto* const ignored : ignored_in(all, environment)) {
        const auto level = ignored->matters ? log::Level::warning : log::Level::info;
        log::write(level, fmt::format("{} is set and has no effect: {}", ignored->name, ignored->why));
    }
}

}  // namespace skerry::daemonapi
