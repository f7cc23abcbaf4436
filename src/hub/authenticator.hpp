// Decides whether a client is who it says it is, for every protocol head (edge-hub.md 8).
//
// Promises: with what is known here, and no network: a client with a valid token or certificate of a known, enabled
//           identity is let in at once, cloud or no cloud. Somebody unknown, or whose proof does not fit, is asked
//           about upstream once per minute. In the modes Cloud and CloudAndScope the cloud itself decides about tokens
//           (then only while it can be reached, or with the very token that it accepted before, where tokens are
//           cached). Tokens are never logged.
// Threads:  the loop's.
#pragma once

#include "base/clock.hpp"
#include "hub/cloud_link.hpp"
#include "hub/proof.hpp"
#include "hub/questions.hpp"
#include "hub/scope.hpp"
#include "hub/settings.hpp"

#include <string>
#include <vector>

namespace skerry::hub {

class Metrics;
class TokenCache;

class Authenticator {
public:
    struct Options {
        model::Identity own;             // "<edge device>/$edgeHub"
        std::vector<std::string> hosts;  // the names a token may be made out for: IoT Hub's and this device's
        std::string trusted_pem;         // the trust bundle: authorities of devices' certificates
        AuthenticationMode mode{AuthenticationMode::scope};
        Duration ask_again{std::chrono::minutes(1)};  // per id
        bool nested{true};                            // whether edge devices below may act for their clients
    };
    // `tokens`, where they are cached; may be nullptr.
    Authenticator(Scope& scope, CloudLink& link, TokenCache* tokens, Metrics& metrics, Clock& clock, Options options);

    // Errc::unauthorized with the reason; full, when the hub can't ask the cloud for lack of room.
    [[nodiscard]] Task<Result<Admission>> authenticate(Claim claim);
    // Whether somebody admitted earlier would still be.
    [[nodiscard]] Result<> still_valid(const model::Identity& identity, const Admission& admission) const;
    void reachable_again() { tokens_asked_.reachable_again(); }

private:
    [[nodiscard]] Task<Result<Admission>> decide(Claim claim);
    [[nodiscard]] Task<Result<>> by_scope(model::Identity identity, const Admission& admission);
    [[nodiscard]] Task<Result<>> by_cloud(model::Identity identity, iothub::SasToken token, std::string text);
    [[nodiscard]] Task<Result<>> ask_cloud(model::Identity identity, const iothub::SasToken& token, std::string text);
    [[nodiscard]] Result<> check(const model::Identity& identity, const Admission& admission) const;
    [[nodiscard]] Result<> check_on_behalf(const model::Identity& identity, const Admission& admission) const;
    [[nodiscard]] Known known(const model::Identity& identity) const;

    Scope& scope_;
    CloudLink& link_;
    TokenCache* tokens_;
    Metrics& metrics_;
    Clock& clock_;
    Options options_;
    Questions tokens_asked_;
};

// Whether a change of `changed` in the scope may end a session of `identity` with this admission.
[[nodiscard]] bool depends_on(const model::Identity& identity, const Admission& admission,
                              const model::Identity& changed);

}  // namespace skerry::hub
