#include "cloud/registry/authenticator.hpp"

#include "base/encoding.hpp"
#include "crypto/crypto.hpp"
#include "crypto/purpose.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::cloud {

namespace {
constexpr Duration skew = std::chrono::minutes(5);

bool is_signed_with(const iothub::SasToken& token, const iothub::SymmetricKeys& keys) {
    for (const auto* key : {&keys.primary, &keys.secondary}) {
        const auto bytes = base64_decode(*key);
        if (bytes && !bytes->empty() && iothub::is_signed_with(token, *bytes)) return true;
    }
    return false;
}

// SHA-1 or SHA-256, told apart by their lengths.
bool has_thumbprint(const crypto::Certificate& certificate, const Authentication& known) {
    for (const auto* expected : {&known.primary_thumbprint, &known.secondary_thumbprint})
        if (!expected->empty() && (equals_ignoring_case(*expected, certificate.sha1_thumbprint) ||
                                   equals_ignoring_case(*expected, certificate.sha256_thumbprint)))
            return true;
    return false;
}
}  // namespace

bool Authenticator::is_host(std::string_view host) const {
    const auto without_port = host.substr(0, host.rfind(':') == std::string_view::npos ? host.size() : host.rfind(':'));
    return std::ranges::any_of(hosts_, [&](const std::string& own) {
        return equals_ignoring_case(own, host) || equals_ignoring_case(own, without_port);
    });
}

Outcome<iothub::SasToken> Authenticator::parse(std::string_view text) const {
    auto token = iothub::parse_sas(text);
    if (!token) return refuse(HubCode::unauthorized, token.error().text);
    if (iothub::is_expired(*token, clock_.wall(), skew))
        return refuse(HubCode::unauthorized, fmt::format("the token expired at {} (unix time); sign a new one, and "
                                                         "check the clock",
                                                         token->expiry));
    return std::move(*token);
}

// A token that is accepted within the allowed skew is good for all of it.
WallTime Authenticator::end_of(const iothub::SasToken& token) const {
    const auto expires = token.expires();
    return expires > clock_.wall() ? expires : expires + skew;
}

Outcome<> Authenticator::check_policy(const iothub::SasToken& token, Rights rights) const {
    const auto* policy = find_policy(policies_, *token.policy);
    if (policy == nullptr) return refuse(HubCode::unauthorized, fmt::format("there is no policy '{}'", *token.policy));
    if ((policy->rights & rights) == 0)
        return refuse(HubCode::unauthorized_access, fmt::format("the policy '{}' does not allow this", policy->name));
    if (!is_signed_with(token, policy->keys))
        return refuse(HubCode::unauthorized,
                      fmt::format("the token is not signed with a key of the policy '{}'", policy->name));
    return {};
}

Outcome<> Authenticator::check_signer(const iothub::SasToken& token, const model::Identity& signer) {
    if (!iothub::covers(token, hosts_, signer))
        return refuse(HubCode::unauthorized_access,
                      fmt::format("the token's resource (sr) does not cover '{}' at this hub", signer.id()));
    const auto registration = registry_.find(signer);
    if (!registration) return refuse(HubCode::unauthorized, registration.error().text);
    if (!registration->enabled) return refuse(HubCode::device_disabled, fmt::format("'{}' is disabled", signer.id()));
    if (registration->authentication.type != AuthenticationType::sas)
        return refuse(HubCode::unauthorized, fmt::format("'{}' does not use keys but '{}'", signer.id(),
                                                         name_of(registration->authentication.type)));
    if (!is_signed_with(token, registration->authentication.keys))
        return refuse(HubCode::unauthorized, fmt::format("the token is not signed with a key of '{}'", signer.id()));
    return {};
}

Outcome<> Authenticator::check_actor(const iothub::SasToken& token, const Registration& target,
                                     std::vector<std::string> chain) {
    if (chain.size() < 2 || chain.front() != target.identity.id())
        return refuse(HubCode::unauthorized_access,
                      fmt::format("the auth-chain does not begin with '{}'", target.identity.id()));
    const auto actor = registry_.check_chain(chain);
    if (!actor) return refuse(actor.error());
    return check_signer(token, *model::Identity::module(actor->identity.device_id(), "$edgeHub"));
}

std::vector<std::string> Authenticator::chain_to_parent(const Registration& target) {
    std::vector<std::string> chain{target.identity.id()};
    const auto device = registry_.find(*model::Identity::device(target.identity.device_id()));
    if (!device) return chain;
    if (target.identity.is_module()) chain.push_back(device->identity.id());
    if (device->iot_edge) return chain;
    // A scope is "ms-azure-iot-edge://<device>-<ticks>".
    constexpr std::string_view scheme = "ms-azure-iot-edge://";
    const std::string_view scope = device->parent_scope;
    const auto dash = scope.rfind('-');
    if (scope.starts_with(scheme) && dash != std::string_view::npos && dash > scheme.size())
        chain.emplace_back(scope.substr(scheme.size(), dash - scheme.size()));
    return chain;
}

// Until when it is valid.
Outcome<WallTime> Authenticator::check_certificate(const std::vector<std::string>& chain_pem,
                                                   const Registration& signer) const {
    const auto& id = signer.identity.id();
    const auto no = [&id](std::string_view why) {
        return refuse(HubCode::unauthorized, fmt::format("the certificate of '{}' {}", id, why));
    };
    if (chain_pem.empty()) return refuse(HubCode::unauthorized, fmt::format("'{}' sent no certificate", id));
    const auto leaf = crypto::parse_certificate(chain_pem.front());
    if (!leaf) return no("can't be read: " + leaf.error().text);
    const auto now = clock_.wall();
    if (now < leaf->not_before || now > leaf->not_after) return no("has expired, or is not valid yet");
    switch (signer.authentication.type) {
        case AuthenticationType::self_signed:
            if (!has_thumbprint(*leaf, signer.authentication)) return no("has none of its two thumbprints");
            return leaf->not_after;
        case AuthenticationType::certificate_authority: {
            if (leaf->is_ca) return no("is an authority's");
            if (leaf->common_name != id) return no("has another common name: '" + leaf->common_name + "'");
            auto trusted = crypto::may_be_client(chain_pem.front());
            if (trusted) trusted = crypto::verify_chain(chain_pem, authorities_pem_, now);
            if (!trusted) return no("leads to no authority of --device-ca: " + trusted.error().text);
            return leaf->not_after;
        }
        case AuthenticationType::sas:
        case AuthenticationType::none: break;
    }
    return no(fmt::format("is not asked for: it uses '{}'", name_of(signer.authentication.type)));
}

Outcome<Registration> Authenticator::enabled_registration(const model::Identity& identity) {
    auto registration = registry_.find(identity);
    if (!registration) return refuse(registration.error());
    const auto device = registry_.find(*model::Identity::device(identity.device_id()));
    if (!device) return refuse(device.error());
    if (!device->enabled)
        return refuse(HubCode::device_disabled, fmt::format("'{}' is disabled", device->identity.id()));
    return registration;
}

Outcome<DeviceAccess> Authenticator::connect_with_certificate(const model::Identity& identity,
                                                              const std::vector<std::string>& chain_pem) {
    const auto registration = enabled_registration(identity);
    if (!registration) return refuse(registration.error());
    const auto until = check_certificate(chain_pem, *registration);
    if (!until) return refuse(until.error());
    return DeviceAccess{.identity = identity,
                        .generation_id = registration->generation_id,
                        .scope = identity.is_module() ? "module" : "device",
                        .type = "x509",
                        .valid_until = *until};
}

Outcome<> Authenticator::authorize_certificate(const std::vector<std::string>& chain_pem,
                                               std::span<const model::Identity> identities) {
    Outcome<> checked = refuse(HubCode::unauthorized, "the request has no Authorization header, and no certificate");
    if (chain_pem.empty()) return checked;
    for (const auto& identity : identities) {
        const auto registration = enabled_registration(identity);
        const auto until = registration ? check_certificate(chain_pem, *registration)
                                        : Outcome<WallTime>(refuse(registration.error()));
        if (until) return {};
        // Who can't say who it is must not learn who exists.
        checked = refuse(HubCode::unauthorized, until.error().text);
    }
    return checked;
}

Outcome<DeviceAccess> Authenticator::connect(const model::Identity& identity, const std::vector<std::string>& chain,
                                             std::string_view text) {
    const auto token = parse(text);
    if (!token) return refuse(token.error());
    const auto registration = enabled_registration(identity);
    if (!registration) return refuse(registration.error());

    Outcome<> checked;
    if (token->policy) {
        checked = check_policy(*token, device_connect);
        if (checked && !iothub::covers(*token, hosts_, identity))
            checked = refuse(HubCode::unauthorized_access,
                             fmt::format("the token's resource (sr) does not cover '{}'", identity.id()));
    } else if (chain.size() >= 2) {
        checked = check_actor(*token, *registration, chain);
    } else {
        checked = check_signer(*token, identity);
        if (!checked && check_actor(*token, *registration, chain_to_parent(*registration))) checked = {};
    }
    if (!checked) return refuse(checked.error());
    return DeviceAccess{.identity = identity,
                        .generation_id = registration->generation_id,
                        .scope = token->policy          ? "hub"
                                 : identity.is_module() ? "module"
                                                        : "device",
                        .type = "sas",
                        .valid_until = end_of(*token)};
}

Outcome<> Authenticator::authorize(std::string_view text, Rights rights, std::span<const model::Identity> identities) {
    const auto token = parse(text);
    if (!token) return refuse(token.error());
    if (token->policy) {
        if (!iothub::covers_host(*token, hosts_))
            return refuse(HubCode::unauthorized_access, "the token's resource (sr) does not name this hub");
        return check_policy(*token, rights);
    }
    Outcome<> checked = refuse(HubCode::unauthorized_access, "this needs the token of a policy (skn)");
    for (const auto& identity : identities) {
        checked = check_signer(*token, identity);
        if (checked) break;
    }
    return checked;
}

}  // namespace skerry::cloud
