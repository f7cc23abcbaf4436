#include "hub/proof.hpp"

#include "base/encoding.hpp"
#include "crypto/purpose.hpp"

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

// SHA-1 or SHA-256, told apart by their lengths.
bool has_thumbprint(const crypto::Certificate& certificate, const iothub::ScopeIdentity& known) {
    for (const auto* expected : {&known.primary_thumbprint, &known.secondary_thumbprint})
        if (!expected->empty() && (equals_ignoring_case(*expected, certificate.sha1_thumbprint) ||
                                   equals_ignoring_case(*expected, certificate.sha256_thumbprint)))
            return true;
    return false;
}

Result<> check_validity(const crypto::Certificate& certificate, const std::string& id, WallTime now) {
    if (now < certificate.not_before)
        return fail(Errc::unauthorized, fmt::format("the certificate of {} is not valid before {}; check the clocks",
                                                    id, format_rfc3339(certificate.not_before, 0)));
    if (now > certificate.not_after)
        return fail(Errc::unauthorized,
                    fmt::format("the certificate of {} expired at {}", id, format_rfc3339(certificate.not_after, 0)));
    return {};
}

Result<> check_authority(const CertificateProof& proof, const std::string& id) {
    if (proof.leaf.is_ca)
        return fail(Errc::unauthorized, fmt::format("the certificate of {} is an authority's, not a device's", id));
    if (proof.leaf.common_name != id)
        return fail(Errc::unauthorized, fmt::format("the certificate of {} has the common name '{}': it must be the "
                                                    "device id",
                                                    id, proof.leaf.common_name));
    if (!proof.distrust.empty())
        return fail(Errc::unauthorized,
                    fmt::format("the certificate of {} does not lead to the trust bundle: {}", id, proof.distrust));
    return {};
}

Result<CertificateProof> read_certificates(const Claim& claim, std::string_view trusted_pem, WallTime now) {
    auto leaf = crypto::parse_certificate(claim.certificates_pem.front());
    if (!leaf) return fail(leaf.error());
    auto trusted = crypto::may_be_client(claim.certificates_pem.front());
    if (trusted) trusted = crypto::verify_chain(claim.certificates_pem, trusted_pem, now);
    return CertificateProof{std::move(*leaf), trusted ? std::string() : trusted.error().text};
}

}  // namespace

Result<Proof> read_proof(const Claim& claim, std::string_view trusted_pem, WallTime now) {
    const auto& id = claim.identity.id();
    if (!claim.token.empty()) {
        auto token = iothub::parse_sas(claim.token);
        if (!token) return fail(Errc::unauthorized, fmt::format("the token of {}: {}", id, token.error().text));
        return std::move(*token);
    }
    if (claim.certificates_pem.empty())
        return fail(Errc::unauthorized, fmt::format("{} has neither a token nor a certificate", id));
    auto certificate = read_certificates(claim, trusted_pem, now);
    if (!certificate)
        return fail(Errc::unauthorized, fmt::format("the certificate of {}: {}", id, certificate.error().text));
    return std::move(*certificate);
}

WallTime expiry_of(const Proof& proof) {
    if (const auto* const certificate = std::get_if<CertificateProof>(&proof)) return certificate->leaf.not_after;
    const auto* const token = std::get_if<iothub::SasToken>(&proof);
    const auto written = token ? token->expires() : WallTime::max();
    return written < WallTime::max() - clock_skew ? written + clock_skew : WallTime::max();
}

std::string_view name_of(const Proof& proof) {
    return std::holds_alternative<CertificateProof>(proof) ? "certificate" : "token";
}

bool is_expired(const Proof& proof, WallTime now) { return expiry_of(proof) < now; }

Result<> check_standing(const model::Identity& claimed, const Known& known) {
    if (!known.self) return fail(Errc::not_found, claimed.id() + " is not in this device's scope");
    if (!known.self->enabled) return fail(Errc::unauthorized, claimed.id() + " is disabled in the cloud");
    if (claimed.is_module() && known.device && !known.device->enabled)
        return fail(Errc::unauthorized, fmt::format("the device of {} is disabled in the cloud", claimed.id()));
    return {};
}

Result<> check_terms(const iothub::SasToken& token, const model::Identity& claimed, std::span<const std::string> hosts,
                     WallTime now) {
    if (!iothub::covers(token, hosts, claimed))
        return fail(Errc::unauthorized, fmt::format("the token of {} is for another resource", claimed.id()));
    if (iothub::is_expired(token, now, clock_skew))
        return fail(Errc::unauthorized,
                    fmt::format("the token of {} expired at {}", claimed.id(), format_rfc3339(token.expires(), 0)));
    return {};
}

Result<> check_token(const iothub::SasToken& token, const model::Identity& claimed, const Known& known,
                     std::span<const std::string> hosts, WallTime now) {
    if (auto standing = check_standing(claimed, known); !standing) return standing;
    // A device's key may sign for its modules, with the device's or the module's name in the token.
    const bool signed_rightly = signed_by(token, known.self) || (claimed.is_module() && signed_by(token, known.device));
    if (!signed_rightly) {
        if (known.self->authentication_type != "sas")
            return fail(Errc::unauthorized, fmt::format("{} authenticates with a certificate ({}), not with a token",
                                                        claimed.id(), known.self->authentication_type));
        return fail(Errc::unauthorized, fmt::format("the token of {} is not signed with its key", claimed.id()));
    }
    return check_terms(token, claimed, hosts, now);
}

Result<> check_certificate(const CertificateProof& proof, const model::Identity& claimed, const Known& known,
                           WallTime now) {
    const auto& id = claimed.id();
    if (claimed.is_module())
        return fail(Errc::unauthorized, fmt::format("{} is a module: modules authenticate with tokens", id));
    if (auto standing = check_standing(claimed, known); !standing) return standing;
    if (auto valid = check_validity(proof.leaf, id, now); !valid) return valid;
    const auto& type = known.self->authentication_type;
    if (type == "certificateAuthority") return check_authority(proof, id);
    if (type != "selfSigned")
        return fail(Errc::unauthorized,
                    fmt::format("{} authenticates with a token ({}), not with a certificate", id, type));
    if (!has_thumbprint(proof.leaf, *known.self))
        return fail(Errc::unauthorized, fmt::format("the certificate of {} has the thumbprint {}, which is none of its "
                                                    "two in the cloud",
                                                    id, proof.leaf.sha1_thumbprint));
    return {};
}

}  // namespace skerry::hub
