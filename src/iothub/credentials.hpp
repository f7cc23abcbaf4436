// Who we are towards a hub, and the tokens that prove it.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "model/identity.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace skerry::iothub {

// HMAC-SHA256 of `text` with the identity's key: with the key in hand, or through the daemon's workload API.
using Signer = std::function<Task<Result<std::string>>(std::string text)>;
[[nodiscard]] Signer key_signer(std::string key);

class Credentials {
public:
    // `signing_identity` differs from the connecting one when a hub acts on behalf of a client.
    Credentials(std::string hub_host, model::Identity signing_identity, Signer signer, Clock& clock,
                Duration lifetime = std::chrono::hours(1));

    // One token that somebody else signed: used until `expires`, or until the hub has refused it.
    Credentials(std::string hub_host, model::Identity signing_identity, std::string token, WallTime expires,
                Clock& clock);

    // A token good for at least half of its lifetime; signed anew only when needed, or when the wall clock jumped by
    // more than a quarter of the lifetime since it was signed. Errc::unauthorized: the one token there is has ended.
    [[nodiscard]] Task<Result<std::string>> token();
    // When the last token runs out, on the steady clock; a connection made with it must be renewed before.
    [[nodiscard]] SteadyTime expires() const { return expires_; }
    [[nodiscard]] Duration lifetime() const { return lifetime_; }  // none for a token of somebody else
    // The hub refused the token: the next one is signed anew.
    void forget() { token_.clear(); }
    [[nodiscard]] const std::string& hub_host() const { return host_; }

private:
    [[nodiscard]] bool is_fresh() const;
    [[nodiscard]] Result<std::string> given_token() const;
    std::string host_;
    model::Identity identity_;
    Signer signer_;  // empty: the token was given
    Clock& clock_;
    Duration lifetime_;
    std::string token_;
    WallTime signed_wall_{};
    SteadyTime signed_{};
    SteadyTime expires_{};
};

}  // namespace skerry::iothub
