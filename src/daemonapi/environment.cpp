#include "daemonapi/environment.hpp"

#include "base/encoding.hpp"

#include <fmt/core.h>

#include <utility>

#include <unistd.h>

namespace skerry::daemonapi {

Environment::Environment(std::map<std::string, std::string> values) {
    for (auto& [name, value] : values) values_.emplace(to_lower(name), std::move(value));
}

Environment Environment::of_process() {
    std::map<std::string, std::string> values;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        const auto equals = text.find('=');
        if (equals == std::string_view::npos || equals == 0) continue;
        values.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return Environment(std::move(values));
}

std::optional<std::string> Environment::find(std::string_view name) const {
    const auto found = values_.find(to_lower(name));
    if (found == values_.end()) return std::nullopt;
    return found->second;
}

bool Environment::has_like(std::string_view beginning) const {
    const auto wanted = to_lower(beginning);
    const auto found = values_.lower_bound(wanted);
    return found != values_.end() && found->first.starts_with(wanted);
}

std::string Environment::value_or(std::string_view name, std::string_view fallback) const {
    return find(name).value_or(std::string(fallback));
}

Result<std::string> Environment::require(std::string_view name) const {
    auto value = find(name);
    if (!value || value->empty())
        return fail(Errc::not_found, fmt::format("the environment variable {} is not set; the agent sets it for every "
                                                 "module, so start the module through a deployment or set it by hand",
                                                 name));
    return std::move(*value);
}

}  // namespace skerry::daemonapi
