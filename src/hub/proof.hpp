// What a client brings to say who it is, and the checks of it: pure functions, no network (edge-hub.md 8.2, 8.3).
//
// Promises: tokens are never logged. A certificate stands for a device only, never for a module.
#pragma once

#include "base/clock.hpp"
#include "crypto/crypto.hpp"
#include "iothub/registry_client.hpp"
#include "iothub/sas.hpp"

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace skerry::hub {

// What a client brings, whatever the protocol.
struct Claim {
    model::Identity identity;
    std::vector<std::string> auth_chain{};        // leaf first; more than one id: the last one acts for the first
    std::string token{};                          // a shared access signature, or empty
    std::vector<std::string> certificates_pem{};  // as presented in TLS, leaf first; only looked at without a token
};

// A client's certificate. TLS has proved that the client holds its key.
struct CertificateProof {
    crypto::Certificate leaf;
    // Why its chain does not lead to the trust bundle, which stays the same while the hub runs; empty: it does.
    std::string distrust;
};

// The cloud itself let the client in with its token (AuthenticationMode Cloud).
struct CloudsWord {};

using Proof = std::variant<iothub::SasToken, CertificateProof, CloudsWord>;

// Proof that a claim was checked; kept with the session, to be checked again when the scope changes.
struct Admission {
    Proof proof;
    WallTime expires;
    std::vector<std::string> auth_chain{};  // as claimed; more than one id: the proof is the last one's
};

// The token, or else the certificate, which is followed to `trusted_pem`. Errc::unauthorized: there is neither, or it
// can't be read.
[[nodiscard]] Result<Proof> read_proof(const Claim& claim, std::string_view trusted_pem, WallTime now);
// When a session with this proof ends, and what the log says of it.
[[nodiscard]] WallTime expiry_of(const Proof& proof);
[[nodiscard]] std::string_view name_of(const Proof& proof);

// Whom a proof is checked against, as the scope knows them (nullptr: unknown). `device` is a module's.
struct Known {
    const iothub::ScopeIdentity* self{nullptr};
    const iothub::ScopeIdentity* device{nullptr};
};

// Whether `claimed` may connect at all. Errc::not_found: unknown; Errc::unauthorized: it, or its device, is disabled.
[[nodiscard]] Result<> check_standing(const model::Identity& claimed, const Known& known);
// The checks themselves, standing included. Errc::unauthorized: known, but refused; the text says why. `hosts`: the
// names a token may be made out for.
[[nodiscard]] Result<> check_token(const iothub::SasToken& token, const model::Identity& claimed, const Known& known,
                                   std::span<const std::string> hosts, WallTime now);
[[nodiscard]] Result<> check_certificate(const CertificateProof& proof, const model::Identity& claimed,
                                         const Known& known, WallTime now);
// What a token must be whoever checks its signature: made out for `claimed` at one of `hosts`, and not expired.
[[nodiscard]] Result<> check_terms(const iothub::SasToken& token, const model::Identity& claimed,
                                   std::span<const std::string> hosts, WallTime now);

// Whether the proof is too old to be good, whatever the cloud says.
[[nodiscard]] bool is_expired(const Proof& proof, WallTime now);

}  // namespace skerry::hub
