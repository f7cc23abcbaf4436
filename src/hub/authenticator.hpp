// Decides whether a client is who it says it is, with what is known here: no network needed (edge-hub.md 8.2).
//
// Promises: a client with a valid token of a known, enabled identity is let in at once, cloud or no cloud. Somebody
//           unknown, or whose key does not fit, is asked about upstream once per minute. Tokens are never logged.
#pragma once

#include "base/clock.hpp"
#include "hub/cloud_link.hpp"
#include "hub/scope.hpp"
#include "iothub/sas.hpp"

#include <span>
#include <string>
#include <vector>

namespace skerry::hub {

class Metrics;

// What a client brings, whatever the protocol.
struct Claim {
    model::Identity identity;
    std::vector<std::string> auth_chain;  // leaf first; more than one id: on behalf of somebody
    std::string token;                    // a shared access signature, or empty
    bool has_certificate{false};
};

// Proof that a claim was checked; kept with the session, to be checked again when the scope changes.
struct Admission {
    iothub::SasToken token;
    WallTime expires;
};

// The check itself. `self` and `device` are the claimed identity and, for a module, its device as the scope knows them
// (nullptr: unknown). Errc::not_found: unknown; Errc::unauthorized: known, but refused; the text says why.
[[nodiscard]] Result<> check_token(const iothub::SasToken& token, const model::Identity& claimed,
                                   const iothub::ScopeIdentity* self, const iothub::ScopeIdentity* device,
                                   std::span<const std::string> hosts, WallTime now);

class Authenticator {
public:
    // `hosts`: the names a token may be made out for: IoT Hub's and this device's.
    Authenticator(Scope& scope, CloudLink& link, Metrics& metrics, Clock& clock, model::Identity own,
                  std::vector<std::string> hosts);

    // Errc::unauthorized with the reason.
    [[nodiscard]] Task<Result<Admission>> authenticate(Claim claim);
    // Whether somebody admitted earlier would still be.
    [[nodiscard]] Result<> still_valid(const model::Identity& identity, const Admission& admission) const;

private:
    [[nodiscard]] Task<Result<Admission>> decide(Claim claim);
    [[nodiscard]] Result<> check(const model::Identity& identity, const iothub::SasToken& token) const;

    Scope& scope_;
    CloudLink& link_;
    Metrics& metrics_;
    Clock& clock_;
    model::Identity own_;
    std::vector<std::string> hosts_;
};

}  // namespace skerry::hub
