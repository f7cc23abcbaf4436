// What the registry knows of a device or a module, and what a client may ask to change.
#pragma once

#include "base/clock.hpp"
#include "iothub/registry_client.hpp"
#include "model/identity.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::cloud {

enum class AuthenticationType { sas, self_signed, certificate_authority, none };
[[nodiscard]] std::string_view name_of(AuthenticationType type);
[[nodiscard]] std::optional<AuthenticationType> parse_authentication_type(std::string_view text);

struct Authentication {
    AuthenticationType type{AuthenticationType::sas};
    iothub::SymmetricKeys keys;  // empty unless the type is sas
    std::string primary_thumbprint;
    std::string secondary_thumbprint;
};

struct Registration {
    model::Identity identity;
    std::string generation_id{};  // another one after deletion and creation
    std::string etag{};
    bool enabled{true};
    std::string status_reason{};
    std::optional<WallTime> status_updated{};
    Authentication authentication{};
    // Devices only.
    bool iot_edge{false};
    std::string device_scope{};  // an edge device's own, a leaf's parent's, or empty
    std::string parent_scope{};  // of the edge device above, or empty
    // Modules only.
    std::string managed_by{};
};

// Absent members stay as they are; on creation they take their defaults.
struct RegistrationChange {
    std::optional<bool> enabled{};
    std::optional<std::string> status_reason{};
    std::optional<AuthenticationType> type{};
    std::optional<std::string> primary_key{};  // base64
    std::optional<std::string> secondary_key{};
    std::optional<std::string> primary_thumbprint{};
    std::optional<std::string> secondary_thumbprint{};
    std::optional<bool> iot_edge{};
    std::optional<std::string> device_scope{};
    std::optional<std::vector<std::string>> parent_scopes{};
    std::optional<std::string> managed_by{};
};

}  // namespace skerry::cloud
