// What a module finds in its environment. Names compare without case, as the existing runtime's configuration does.
#pragma once

#include "base/result.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::daemonapi {

class Environment {
public:
    // Of two names that differ only by case, the one that sorts first as bytes wins.
    explicit Environment(std::map<std::string, std::string> values);
    [[nodiscard]] static Environment of_process();
    [[nodiscard]] std::optional<std::string> find(std::string_view name) const;
    // Whether a name that begins so is there.
    [[nodiscard]] bool has_like(std::string_view beginning) const;
    [[nodiscard]] std::string value_or(std::string_view name, std::string_view fallback) const;
    // Errc::not_found names the variable.
    [[nodiscard]] Result<std::string> require(std::string_view name) const;

private:
    std::map<std::string, std::string> values_;  // by lower-case name
};

}  // namespace skerry::daemonapi
