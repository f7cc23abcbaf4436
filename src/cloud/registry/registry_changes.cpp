// What a client may change of an identity, and how edge devices, their scopes and their children hang together.
#include "cloud/registry/registry.hpp"

#include "base/encoding.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace skerry::cloud {

namespace {
constexpr std::size_t shortest_key = 16;
constexpr std::size_t longest_key = 64;
constexpr std::size_t longest_reason = 128;
constexpr std::size_t deepest_nesting = 5;  // IoT Edge's own limit of layers

Outcome<> check_key(std::string_view key, std::string_view which) {
    const auto bytes = base64_decode(key);
    if (bytes && bytes->size() >= shortest_key && bytes->size() <= longest_key) return {};
    return refuse(HubCode::argument_invalid,
                  fmt::format("the {} key must be base64 of {} to {} bytes", which, shortest_key, longest_key));
}

Outcome<> check_thumbprint(std::string_view thumbprint, std::string_view which) {
    const bool fits = thumbprint.empty() ||
                      ((thumbprint.size() == 40 || thumbprint.size() == 64) && hex_decode(thumbprint).has_value());
    if (fits) return {};
    return refuse(HubCode::argument_invalid,
                  fmt::format("the {} thumbprint must have 40 (SHA-1) or 64 (SHA-256) hex digits", which));
}
}  // namespace

Outcome<> Registry::apply(Registration& registration, const RegistrationChange& change, bool is_new) {
    if (change.enabled && *change.enabled != registration.enabled) {
        registration.enabled = *change.enabled;
        registration.status_updated = clock_.wall();
    }
    if (change.status_reason) {
        if (change.status_reason->size() > longest_reason)
            return refuse(HubCode::argument_invalid,
                          fmt::format("statusReason is longer than {} bytes", longest_reason));
        registration.status_reason = *change.status_reason;
    }
    if (change.managed_by) registration.managed_by = *change.managed_by;
    if (auto applied = apply_authentication(registration.authentication, change); !applied) return applied;
    if (registration.identity.is_module()) return {};
    return apply_scope(registration, change, is_new);
}

Outcome<> Registry::apply_authentication(Authentication& authentication, const RegistrationChange& change) {
    if (change.type) authentication.type = *change.type;
    if (authentication.type == AuthenticationType::sas) {
        auto& keys = authentication.keys;
        if (change.primary_key && !change.primary_key->empty()) {
            if (auto fits = check_key(*change.primary_key, "primary"); !fits) return fits;
            keys.primary = *change.primary_key;
        }
        if (change.secondary_key && !change.secondary_key->empty()) {
            if (auto fits = check_key(*change.secondary_key, "secondary"); !fits) return fits;
            keys.secondary = *change.secondary_key;
        }
        if (keys.primary.empty()) keys.primary = new_key();
        if (keys.secondary.empty()) keys.secondary = new_key();
    } else {
        authentication.keys = {};
    }
    if (authentication.type != AuthenticationType::self_signed) {
        authentication.primary_thumbprint.clear();
        authentication.secondary_thumbprint.clear();
        return {};
    }
    if (change.primary_thumbprint) authentication.primary_thumbprint = *change.primary_thumbprint;
    if (change.secondary_thumbprint) authentication.secondary_thumbprint = *change.secondary_thumbprint;
    if (auto fits = check_thumbprint(authentication.primary_thumbprint, "primary"); !fits) return fits;
    if (auto fits = check_thumbprint(authentication.secondary_thumbprint, "secondary"); !fits) return fits;
    if (authentication.primary_thumbprint.empty() && authentication.secondary_thumbprint.empty())
        return refuse(HubCode::argument_invalid, "authentication of type selfSigned needs a thumbprint");
    return {};
}

// Clients send back what they read and change one of the two scopes: what differs from what we have is what they mean.
Outcome<> Registry::apply_scope(Registration& registration, const RegistrationChange& change, bool is_new) {
    if (change.parent_scopes && change.parent_scopes->size() > 1)
        return refuse(HubCode::invalid_device_scope, "parentScopes may have one element");
    if (change.iot_edge && *change.iot_edge != registration.iot_edge) {
        if (!*change.iot_edge)
            return refuse(HubCode::argument_invalid, "an edge device can't become a plain device: create it anew");
        registration.iot_edge = true;
        registration.device_scope =
            fmt::format("ms-azure-iot-edge://{}-{}", registration.identity.device_id(), registration.generation_id);
    }
    auto parent = registration.parent_scope;
    if (change.parent_scopes) parent = change.parent_scopes->empty() ? std::string() : change.parent_scopes->front();
    if (change.device_scope && *change.device_scope != registration.device_scope) {
        const bool may_name_parent = !registration.iot_edge && parent == registration.parent_scope;
        const bool says_nothing = registration.iot_edge && is_new && change.device_scope->empty();
        if (may_name_parent)
            parent = *change.device_scope;
        else if (!says_nothing && *change.device_scope != parent)
            return refuse(HubCode::invalid_device_scope,
                          registration.iot_edge
                              ? "an edge device's own deviceScope can't be changed; name its parent in "
                                "parentScopes"
                              : "deviceScope and parentScopes name different parents");
    }
    if (parent != registration.parent_scope && !parent.empty())
        if (auto fits = check_parent(registration, parent); !fits) return fits;
    registration.parent_scope = parent;
    if (!registration.iot_edge) registration.device_scope = parent;
    return {};
}

Outcome<> Registry::check_parent(const Registration& child, const std::string& scope) {
    auto at = scope;
    for (std::size_t depth = 0; !at.empty(); ++depth) {
        if (depth >= deepest_nesting)
            return refuse(HubCode::invalid_device_scope, "edge devices nest five levels deep at most");
        const auto above = edge_with_scope(at);
        if (!above) return refuse(above.error());
        if (!*above) return refuse(HubCode::invalid_device_scope, fmt::format("no edge device has the scope '{}'", at));
        if ((*above)->identity.device_id() == child.identity.device_id())
            return refuse(HubCode::invalid_device_scope, "a device can't be its own parent");
        at = (*above)->parent_scope;
    }
    return {};
}

Outcome<std::optional<Registration>> Registry::edge_with_scope(const std::string& scope) {
    auto found = select("iot_edge = 1 AND device_scope = ?1", {scope});
    if (!found) return refuse(found.error());
    if (found->empty()) return std::nullopt;
    return std::move(found->front());
}

Outcome<Registration> Registry::check_chain(const std::vector<std::string>& chain) {
    if (chain.empty() || chain.size() > deepest_nesting + 3)
        return refuse(HubCode::unauthorized_access, "the auth-chain is empty or too long");
    std::optional<Registration> below;
    for (const auto& link : chain) {
        const auto identity = model::Identity::parse(link);
        if (!identity) return refuse(HubCode::unauthorized_access, "the auth-chain holds an id that is none");
        auto registration = find(*identity);
        if (!registration) return refuse(registration.error());
        if (below && !registration->enabled)  // whether the target may connect is asked elsewhere
            return refuse(HubCode::device_disabled, fmt::format("'{}' is disabled", identity->id()));
        if (below) {
            const bool own_module = below->identity.is_module() && !identity->is_module() &&
                                    below->identity.device_id() == identity->device_id();
            const bool child = !below->identity.is_module() && registration->iot_edge && !below->parent_scope.empty() &&
                               below->parent_scope == registration->device_scope;
            if (!own_module && !child)
                return refuse(HubCode::unauthorized_access, fmt::format("'{}' is not above '{}': set its parent scope",
                                                                        identity->id(), below->identity.id()));
        }
        below = std::move(*registration);
    }
    if (!below->iot_edge)
        return refuse(HubCode::unauthorized_access, fmt::format("'{}' is no edge device", below->identity.id()));
    return std::move(*below);
}

Outcome<ScopePage> Registry::scope_of(const std::string& edge_device, std::string_view after, std::size_t limit) {
    const auto identity = model::Identity::device(edge_device);
    if (!identity) return refuse(identity.error());
    const auto edge = find(*identity);
    if (!edge) return refuse(edge.error());
    if (!edge->iot_edge) return refuse(HubCode::argument_invalid, fmt::format("'{}' is no edge device", edge_device));
    auto devices = select(
        "module_id = '' AND (device_id = ?1 OR parent_scope = ?2) AND device_id > ?3 ORDER BY device_id LIMIT ?4",
        {edge_device, edge->device_scope, std::string(after), static_cast<std::int64_t>(limit) + 1});
    if (!devices) return refuse(devices.error());
    ScopePage page;
    if (devices->size() > limit) {
        devices->erase(devices->begin() + static_cast<std::ptrdiff_t>(limit), devices->end());
        page.next = devices->back().identity.device_id();
    }
    for (const auto& device : *devices) {
        if (device.iot_edge && device.identity.device_id() != edge_device) continue;  // it asks for its own itself
        auto of_device = modules(device.identity.device_id());
        if (!of_device) return refuse(of_device.error());
        std::ranges::move(*of_device, std::back_inserter(page.modules));
    }
    page.devices = std::move(*devices);
    return page;
}

}  // namespace skerry::cloud
