// The names of queues. Module inputs have the existing hub's names; what goes upstream has one queue per sender, so
// that a throttled sender holds up nobody but itself.
#pragma once

#include "model/identity.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace skerry::hub {

// An id has at least one character, so nothing else can begin like this.
inline constexpr std::string_view upstream_prefix = "iothub//";

[[nodiscard]] inline std::string upstream_endpoint(const model::Identity& sender) {
    return std::string(upstream_prefix) + sender.id();
}
[[nodiscard]] inline bool is_upstream(std::string_view endpoint) { return endpoint.starts_with(upstream_prefix); }
[[nodiscard]] inline std::optional<model::Identity> upstream_sender(std::string_view endpoint) {
    if (!is_upstream(endpoint)) return std::nullopt;
    auto sender = model::Identity::parse(endpoint.substr(upstream_prefix.size()));
    if (!sender) return std::nullopt;
    return std::move(*sender);
}

struct InputEndpoint {
    model::Identity module;
    std::string input;
    [[nodiscard]] std::string name() const { return module.id() + '/' + input; }
    auto operator<=>(const InputEndpoint&) const = default;
};

}  // namespace skerry::hub
