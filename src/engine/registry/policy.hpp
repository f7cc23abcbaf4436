// Which images may run: the rules of config.toml, [[skerry.image_policy]].
//
// Promises: the rule with the longest scope that holds the image counts, whatever the order of the rules. Without any
//           rule that fits every image may run. Scopes match whole parts: "host/team" holds host/team/x, not
//           host/teamx.
#pragma once

#include "base/result.hpp"
#include "engine/registry/image_name.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::engine::registry {

enum class Demand : std::uint8_t { accept, reject, signature };

struct TrustRule {
    std::string scope;  // "*", "host:5000", "host/team", "docker.io/library/alpine"
    Demand demand{Demand::accept};
    std::vector<std::string> keys;  // public keys, PEM; one of them must have signed
};

struct TrustPolicy {
    std::vector<TrustRule> rules;

    // nullptr: none.
    [[nodiscard]] const TrustRule* rule_for(const ImageName& image) const;
    // Errc::unauthorized names the rule that forbids the image.
    [[nodiscard]] Result<> check_allowed(const ImageName& image) const;
};

}  // namespace skerry::engine::registry
