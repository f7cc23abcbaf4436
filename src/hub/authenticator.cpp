#include "hub/authenticator.hpp"

#include "base/encoding.hpp"
#include "hub/metrics/metrics.hpp"

#include <fmt/format.h>

namespace skerry::hub {

namespace {

constexpr auto clock_skew = std::chrono::minutes(5);

bool signed_by(const iothub::SasToken& token, const iothub::ScopeIdentity* signer) {
    if (!signer || !signer->enabled || signer->authentication_type != "sas") return false;
    for (const auto* key : {&signer->keys.primary, &signer->keys.secondary}) {
        const auto bytes = base64_decode(*key);
        if (bytes && !bytes->empty() && iothub::is_signed_with(token, *bytes)) return true;
    }
    return false;
}

Result<> refuse_if_unusable(const model::Identity& claimed, const iothub::ScopeIdentity& known) {
    if (!known.enabled) return fail(Errc::unauthorized, claimed.id() + " is disabled in the cloud");
    return {};
}

}  // namespace

Result<> check_token(const iothub::SasToken& token, const model::Identity& claimed, const iothub::ScopeIdentity* self,
                     const iothub::ScopeIdentity* device, std::span<const std::string> hosts, WallTime now) {
    if (!self) return fail(Errc::not_found, claimed.id() + " is not in this device's scope");
    if (auto usable = refuse_if_unusable(claimed, *self); !usable) return usable;
    if (claimed.is_module() && device && !device->enabled)
        return fail(Errc::unauthorized, fmt::format("the device of {} is disabled in the cloud", claimed.id()));

    // A device's key may sign for its modules, with the device's or the module's name in the token.
    const bool signed_rightly = signed_by(token, self) || (claimed.is_module() && signed_by(token, device));
    if (!signed_rightly) {
        if (self->authentication_type != "sas")
            return fail(Errc::unauthorized, fmt::format("{} authenticates with a certificate ({}), not with a token",
                                                        claimed.id(), self->authentication_type));
        return fail(Errc::unauthorized, fmt::format("the token of {} is not signed with its key", claimed.id()));
    }
    if (!iothub::covers(token, hosts, claimed))
        return fail(Errc::unauthorized, fmt::format("the token of {} is for another resource", claimed.id()));
    if (iothub::is_expired(token, now, clock_skew))
        return fail(Errc::unauthorized,
                    fmt::format("the token of {} expired at {}", claimed.id(), format_rfc3339(token.expires(), 0)));
    return {};
}

Authenticator::Authenticator(Scope& scope, CloudLink& link, Metrics& metrics, Clock& clock, model::Identity own,
                             std::vector<std::string> hosts)
    : scope_(scope), link_(link), metrics_(metrics), clock_(clock), own_(std::move(own)), hosts_(std::move(hosts)) {}

Result<> Authenticator::check(const model::Identity& identity, const iothub::SasToken& token) const {
    const iothub::ScopeIdentity* device = nullptr;
    if (identity.is_module()) {
        const auto id = model::Identity::device(identity.device_id());
        if (id) device = scope_.find(*id);
    }
    return check_token(token, identity, scope_.find(identity), device, hosts_, clock_.wall());
}

Task<Result<Admission>> Authenticator::authenticate(Claim claim) {
    const auto identity = claim.identity;
    auto admission = co_await decide(std::move(claim));
    if (!admission) metrics_.not_authenticated(identity);
    co_return admission;
}

Task<Result<Admission>> Authenticator::decide(Claim claim) {
    const auto& id = claim.identity;
    if (id == own_) co_return fail(Errc::unauthorized, id.id() + " is this hub itself");
    if (claim.auth_chain.size() > 1)
        co_return fail(Errc::unauthorized,
                       fmt::format("{} connects on behalf of {}, which is not served here: only direct "
                                   "clients are",
                                   claim.auth_chain.back(), claim.auth_chain.front()));
    if (claim.token.empty())
        co_return fail(Errc::unauthorized,
                       fmt::format("{} has no token{}", id.id(),
                                   claim.has_certificate ? "; certificates are not accepted for it" : ""));
    auto token = iothub::parse_sas(claim.token);
    if (!token) co_return fail(Errc::unauthorized, fmt::format("the token of {}: {}", id.id(), token.error().text));

    auto checked = check(id, *token);
    const bool can_be_news = !iothub::is_expired(*token, clock_.wall(), clock_skew);
    if (!checked && can_be_news && co_await scope_.ask_about(id, link_)) checked = check(id, *token);
    if (!checked) co_return fail(Errc::unauthorized, checked.error().text);
    const auto written = token->expires();
    const auto expires = written < WallTime::max() - clock_skew ? written + clock_skew : WallTime::max();
    co_return Admission{std::move(*token), expires};
}

Result<> Authenticator::still_valid(const model::Identity& identity, const Admission& admission) const {
    return check(identity, admission.token);
}

}  // namespace skerry::hub
