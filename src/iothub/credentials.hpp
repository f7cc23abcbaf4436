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

    // A token good for at least half of its lifetime; signed anew only when needed.
    [[nodiscard]] Task<Result<std::string>> token();
    [[nodiscard]] const std::string& hub_host() const { return host_; }

private:
    std::string host_;
    model::Identity identity_;
    Signer signer_;
    Clock& clock_;
    Duration lifetime_;
    std::string token_;
    SteadyTime renew_at_{};
};

}  // namespace skerry::iothub
