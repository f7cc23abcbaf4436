// For tests: stores in memory, with a clock and randomness that repeat.
#pragma once

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "cloud/stores.hpp"
#include "crypto/crypto.hpp"
#include "iothub/sas.hpp"
#include "model/twin.hpp"

#include <memory>
#include <string>

namespace skerry::cloud {

class CountingRandom final : public Random {
public:
    void fill(std::span<unsigned char> out) override {
        for (auto& byte : out)
            byte =
                static_cast<unsigned char>((state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL) >> 56);
    }

private:
    std::uint64_t state_{7};
};

class StillClock final : public Clock {
public:
    [[nodiscard]] WallTime wall() const override { return now; }
    [[nodiscard]] SteadyTime steady() const override { return {}; }
    [[nodiscard]] Task<> sleep_until(SteadyTime) override { co_return; }

    WallTime now = parse_rfc3339("2026-03-01T10:00:00Z").value();
};

struct TestStores {
    StillClock clock;
    CountingRandom random;
    std::string authority_key = crypto::generate_private_key_pem(crypto::KeyKind::p256).value();
    std::string authority = certificate_of("Devices", authority_key, true);
    std::unique_ptr<Stores> stores =
        Stores::open(":memory:", {"hub.test", "127.0.0.11"}, authority, random, clock).value();

    Registry& registry = stores->registry;
    TwinStore& twins = stores->twins;
    Authenticator& authenticator = stores->authenticator;

    Registration device(const std::string& id, RegistrationChange change = {}) {
        return registry.put(model::Identity::device(id).value(), change, {}).value();
    }
    Registration edge(const std::string& id, const std::string& parent_scope = {}) {
        RegistrationChange change{.iot_edge = true};
        if (!parent_scope.empty()) change.parent_scopes = {{parent_scope}};
        return device(id, change);
    }
    Registration module(const std::string& device_id, const std::string& id) {
        return registry.put(model::Identity::module(device_id, id).value(), {}, {}).value();
    }
    // Issued by the authority, or signed by itself.
    std::string certificate_of(const std::string& name, const std::string& key, bool self_signed,
                               Duration life = std::chrono::hours(1)) {
        const crypto::CertificateRequest request{.common_name = name,
                                                 .is_ca = name == "Devices",
                                                 .not_before = clock.now - std::chrono::hours(1),
                                                 .not_after = clock.now + life};
        if (self_signed) return crypto::self_signed_certificate(request, key).value();
        return crypto::issue_certificate(request, key, authority, authority_key).value();
    }
    Registration find(const std::string& id) { return registry.find(model::Identity::parse(id).value()).value(); }

    // A token of `signer` for itself, signed with its primary key.
    std::string token(const std::string& signer, Duration lifetime = std::chrono::hours(1)) {
        const auto registration = find(signer);
        return iothub::make_sas(iothub::resource_of("hub.test", registration.identity),
                                base64_decode(registration.authentication.keys.primary).value(), clock.now + lifetime);
    }
    std::string policy_token(const std::string& name, Duration lifetime = std::chrono::hours(1)) {
        const auto* policy = find_policy(stores->policies, name);
        return iothub::make_sas("hub.test", base64_decode(policy->keys.primary).value(), clock.now + lifetime, name);
    }
};

inline model::Identity id(const std::string& text) { return model::Identity::parse(text).value(); }
inline boost::json::object object(std::string_view text) { return model::parse_object(text).value(); }

}  // namespace skerry::cloud
