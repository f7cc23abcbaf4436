#include "hub/authenticator.hpp"

#include "base/log.hpp"
#include "hub/metrics/metrics.hpp"
#include "hub/token_cache.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::hub {

namespace {

bool on_behalf(const std::vector<std::string>& auth_chain) { return auth_chain.size() > 1; }

// The edge device that acts is the last of the chain, through its hub.
Result<model::Identity> actor_of(const std::vector<std::string>& auth_chain) {
    return model::Identity::module(auth_chain.back(), "$edgeHub");
}

}  // namespace

Authenticator::Authenticator(Scope& scope, CloudLink& link, TokenCache* tokens, Metrics& metrics, Clock& clock,
                             Options options)
    : scope_(scope),
      link_(link),
      tokens_(tokens),
      metrics_(metrics),
      clock_(clock),
      options_(std::move(options)),
      tokens_asked_(clock, options_.ask_again) {}

Task<Result<Admission>> Authenticator::authenticate(Claim claim) {
    const auto identity = claim.identity;
    auto admission = co_await decide(std::move(claim));
    if (!admission) metrics_.not_authenticated(identity);
    co_return admission;
}

Task<Result<Admission>> Authenticator::decide(Claim claim) {
    const auto& id = claim.identity;
    if (id == options_.own) co_return fail(Errc::unauthorized, id.id() + " is this hub itself");
    auto proof = read_proof(claim, options_.trusted_pem, clock_.wall());
    if (!proof) co_return fail(proof.error());
    Admission admission{std::move(*proof), {}, std::move(claim.auth_chain)};
    admission.expires = expiry_of(admission.proof);

    // Certificates, and who acts for others, are always checked with the scope.
    const auto* const token = std::get_if<iothub::SasToken>(&admission.proof);
    const bool cloud_may_decide =
        options_.mode != AuthenticationMode::scope && token && !on_behalf(admission.auth_chain);
    if (!cloud_may_decide || options_.mode == AuthenticationMode::cloud_and_scope) {
        const auto checked = co_await by_scope(id, admission);
        if (checked) co_return admission;
        if (!cloud_may_decide) co_return fail(Errc::unauthorized, checked.error().text);
    }
    const auto asked = co_await by_cloud(id, *token, std::move(claim.token));
    if (!asked) co_return fail(asked.error().code == Errc::full ? Errc::full : Errc::unauthorized, asked.error().text);
    admission.expires = token->expires();  // what the cloud allows, to the second
    admission.proof = CloudsWord{};
    co_return admission;
}

Task<Result<>> Authenticator::by_scope(model::Identity identity, const Admission& admission) {
    auto checked = check(identity, admission);
    const bool never_fits = identity.is_module() && std::holds_alternative<CertificateProof>(admission.proof);
    if (checked || never_fits || is_expired(admission.proof, clock_.wall())) co_return checked;
    const auto& chain = admission.auth_chain;
    if (co_await scope_.ask_about(identity, link_, {.above = on_behalf(chain) ? chain.back() : std::string()}))
        checked = check(identity, admission);
    co_return checked;
}

Task<Result<>> Authenticator::by_cloud(model::Identity identity, iothub::SasToken token, std::string text) {
    if (auto terms = check_terms(token, identity, options_.hosts, clock_.wall()); !terms) co_return terms;
    auto asked = co_await ask_cloud(identity, token, text);
    if (!tokens_) co_return asked;
    if (asked) {
        co_await tokens_->remember(identity, std::move(text), token.expires());
        co_return asked;
    }
    if (asked.error().code == Errc::unauthorized) {
        co_await tokens_->forget(identity);
        co_return asked;
    }
    // Nobody was asked, or gave an answer.
    if (!tokens_->holds(identity, text)) co_return asked;
    log::debug("{} is let in with a token that the cloud accepted before: {}", identity.id(), asked.error().text);
    co_return Result<>{};
}

// Errc::unauthorized only when the cloud has said so.
Task<Result<>> Authenticator::ask_cloud(model::Identity identity, const iothub::SasToken& token, std::string text) {
    const auto permit = tokens_asked_.ask(identity);
    if (!permit)
        co_return fail(
            Errc::conflict,
            fmt::format("the cloud was asked about a token of {} less than {} s ago, and refused it or could "
                        "not be reached",
                        identity.id(), std::chrono::duration_cast<std::chrono::seconds>(options_.ask_again).count()));
    auto admitted = co_await link_.admit(identity, std::move(text), token.expires());
    if (admitted)
        tokens_asked_.forget(identity);
    else if (admitted.error().code != Errc::unauthorized)
        tokens_asked_.unanswered(identity);
    if (!admitted) co_return fail(admitted.error().while_doing("asking the cloud about the token of " + identity.id()));
    co_return Result<>{};
}

Known Authenticator::known(const model::Identity& identity) const {
    Known found{.self = scope_.find(identity)};
    if (!identity.is_module()) return found;
    if (const auto device = model::Identity::device(identity.device_id())) found.device = scope_.find(*device);
    return found;
}

Result<> Authenticator::check(const model::Identity& identity, const Admission& admission) const {
    if (std::holds_alternative<CloudsWord>(admission.proof)) return {};
    if (on_behalf(admission.auth_chain)) return check_on_behalf(identity, admission);
    const auto now = clock_.wall();
    if (const auto* const token = std::get_if<iothub::SasToken>(&admission.proof))
        return check_token(*token, identity, known(identity), options_.hosts, now);
    return check_certificate(std::get<CertificateProof>(admission.proof), identity, known(identity), now);
}

// An edge device below brings its clients: it must be above them, and below us, as the scope says (8.4).
Result<> Authenticator::check_on_behalf(const model::Identity& identity, const Admission& admission) const {
    const auto& claimed = admission.auth_chain;
    if (!options_.nested)
        return fail(Errc::unauthorized,
                    fmt::format("'{}' can't act for {}: NestedEdgeEnabled is false", claimed.back(), identity.id()));
    const auto actor = actor_of(claimed);
    if (!actor || actor->device_id() == options_.own.device_id())
        return fail(Errc::unauthorized, fmt::format("'{}' can't act for {} here", claimed.back(), identity.id()));
    if (claimed.front() != identity.id())
        return fail(Errc::unauthorized,
                    fmt::format("the auth-chain of {} begins with '{}'", identity.id(), claimed.front()));
    if (auto standing = check_standing(identity, known(identity)); !standing) return standing;
    const auto chain = scope_.chain_of(identity);
    if (std::ranges::find(chain, actor->device_id()) == chain.end())
        return fail(Errc::unauthorized, fmt::format("{} is not above {}, or is disabled, or nested too deep",
                                                    actor->device_id(), identity.id()));
    const auto* const token = std::get_if<iothub::SasToken>(&admission.proof);
    if (!token)
        return fail(Errc::unauthorized, fmt::format("{} is a module: modules authenticate with tokens", actor->id()));
    auto checked = check_token(*token, *actor, known(*actor), options_.hosts, clock_.wall());
    if (!checked) return fail(checked.error().while_doing("acting for " + identity.id()));
    return {};
}

Result<> Authenticator::still_valid(const model::Identity& identity, const Admission& admission) const {
    return check(identity, admission);
}

bool depends_on(const model::Identity& identity, const Admission& admission, const model::Identity& changed) {
    if (changed == identity) return true;
    const auto& chain = admission.auth_chain;
    if (changed.is_module()) {
        const auto actor = on_behalf(chain) ? actor_of(chain) : Result<model::Identity>(fail(Errc::not_found, ""));
        return actor && *actor == changed;
    }
    // Between the two ends of the chain there may be edge devices that the client did not name.
    return changed.device_id() == identity.device_id() || on_behalf(chain);
}

}  // namespace skerry::hub
