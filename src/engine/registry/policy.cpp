#include "engine/registry/policy.hpp"

#include <fmt/format.h>

namespace skerry::engine::registry {

namespace {
bool holds(std::string_view scope, std::string_view place) {
    if (scope == "*") return true;
    return place.starts_with(scope) && (place.size() == scope.size() || place[scope.size()] == '/');
}
}  // namespace

const TrustRule* TrustPolicy::rule_for(const ImageName& image) const {
    const auto place = image.place();
    const TrustRule* best = nullptr;
    for (const auto& rule : rules) {
        if (!holds(rule.scope, place)) continue;
        const bool more =
            best == nullptr || best->scope == "*" || (rule.scope != "*" && rule.scope.size() > best->scope.size());
        if (more) best = &rule;
    }
    return best;
}

Result<> TrustPolicy::check_allowed(const ImageName& image) const {
    const auto* const rule = rule_for(image);
    if (rule == nullptr || rule->demand != Demand::reject) return {};
    return fail(Errc::unauthorized, fmt::format("images of '{}' may not run on this device (skerry.image_policy, "
                                                "scope \"{}\")",
                                                image.place(), rule->scope));
}

}  // namespace skerry::engine::registry
