// Who may do what: shared access signatures of devices, modules and policies, and certificates of devices and modules
// (iot-hub-wire.md 2.1, 3.2, 3.4, 4).
//
// Threads: one at a time (the cloud's worker). Calls block.
#pragma once

#include "base/clock.hpp"
#include "cloud/fault.hpp"
#include "cloud/registry/policies.hpp"
#include "cloud/registry/registry.hpp"
#include "iothub/sas.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::cloud {

// An accepted connection of a device or module.
struct DeviceAccess {
    model::Identity identity;
    std::string generation_id;
    std::string scope;     // "device", "module" or "hub" (a policy's token): what iothub-connection-auth-method says
    std::string type;      // "sas" or "x509": the same
    WallTime valid_until;  // the connection ends then
};

class Authenticator {
public:
    // `hosts` are the names of this hub; `authorities_pem` those whose certificates count, may be empty. All references
    // outlive the authenticator.
    Authenticator(Registry& registry, const std::vector<Policy>& policies, std::vector<std::string> hosts,
                  std::string authorities_pem, const Clock& clock)
        : registry_(registry),
          policies_(policies),
          hosts_(std::move(hosts)),
          authorities_pem_(std::move(authorities_pem)),
          clock_(clock) {}

    // `identity` connects with `token`. With a chain of two and more the token is $edgeHub's of the last device in it;
    // a token of the parent's $edgeHub does without.
    [[nodiscard]] Outcome<DeviceAccess> connect(const model::Identity& identity, const std::vector<std::string>& chain,
                                                std::string_view token);

    // `identity` connects with the certificate that TLS has seen, `chain_pem`, leaf first.
    [[nodiscard]] Outcome<DeviceAccess> connect_with_certificate(const model::Identity& identity,
                                                                 const std::vector<std::string>& chain_pem);

    // A request with `token` is allowed when a policy has any of `rights`, or one of `identities` signed it.
    [[nodiscard]] Outcome<> authorize(std::string_view token, Rights rights,
                                      std::span<const model::Identity> identities);

    // A request without a token is allowed when the certificate stands for one of `identities`.
    [[nodiscard]] Outcome<> authorize_certificate(const std::vector<std::string>& chain_pem,
                                                  std::span<const model::Identity> identities);

    [[nodiscard]] bool is_host(std::string_view host) const;  // a port after it is ignored

private:
    [[nodiscard]] Outcome<> check_policy(const iothub::SasToken& token, Rights rights) const;
    [[nodiscard]] Outcome<> check_signer(const iothub::SasToken& token, const model::Identity& signer);
    [[nodiscard]] Outcome<WallTime> check_certificate(const std::vector<std::string>& chain_pem,
                                                      const Registration& signer) const;
    [[nodiscard]] Outcome<Registration> enabled_registration(const model::Identity& identity);
    [[nodiscard]] Outcome<> check_actor(const iothub::SasToken& token, const Registration& target,
                                        std::vector<std::string> chain);
    [[nodiscard]] std::vector<std::string> chain_to_parent(const Registration& target);
    [[nodiscard]] Outcome<iothub::SasToken> parse(std::string_view text) const;
    [[nodiscard]] WallTime end_of(const iothub::SasToken& token) const;

    Registry& registry_;
    const std::vector<Policy>& policies_;
    std::vector<std::string> hosts_;
    std::string authorities_pem_;
    const Clock& clock_;
};

}  // namespace skerry::cloud
