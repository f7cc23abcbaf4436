// Shared access signatures (iot-hub-wire.md 4) and connection strings (3.5).
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "model/identity.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace skerry::iothub {

struct SasToken {
    std::string resource;               // sr, exactly as written in the token: the signature is over this text
    std::string signature;              // sig, decoded to bytes
    std::string expiry;                 // se, as written
    std::optional<std::string> policy;  // skn

    // When it expires; far away for values in milliseconds.
    [[nodiscard]] WallTime expires() const;
};

// Fields in any order; the prefix without case. Errc::malformed names the missing or broken field, never its value.
[[nodiscard]] Result<SasToken> parse_sas(std::string_view text);

// `key` is raw bytes (already base64-decoded).
[[nodiscard]] bool is_signed_with(const SasToken& token, std::string_view key);
[[nodiscard]] bool is_expired(const SasToken& token, WallTime now, Duration skew = std::chrono::minutes(5));

// The text to sign for `resource` (already percent-encoded) and the finished token.
[[nodiscard]] std::string sas_text_to_sign(std::string_view encoded_resource, std::int64_t expiry_seconds);
[[nodiscard]] std::string format_sas(std::string_view encoded_resource, std::string_view signature_bytes,
                                     std::int64_t expiry_seconds, std::string_view policy = {});
[[nodiscard]] std::string make_sas(std::string_view resource, std::string_view key, WallTime expires,
                                   std::string_view policy = {});

// "host/devices/d/modules/m" of an identity, ids percent-encoded; what goes (encoded once more) into sr.
[[nodiscard]] std::string resource_of(std::string_view host, const model::Identity& identity);

// Whether the token's resource covers `identity` at one of `hosts`: whole segments, prefix, case ignored (4). A
// host-only resource covers all; a device's resource covers its modules.
[[nodiscard]] bool covers(const SasToken& token, std::span<const std::string> hosts, const model::Identity& identity);
// For service requests: whether it names the host itself or a path under it.
[[nodiscard]] bool covers_host(const SasToken& token, std::span<const std::string> hosts);

struct ConnectionString {
    std::string host;
    std::string device_id;
    std::string module_id;
    std::string key;     // decoded bytes of SharedAccessKey
    std::string policy;  // SharedAccessKeyName
    std::string gateway_host;
    bool x509{false};
};
// Errc::malformed names the missing or broken part, never the key.
[[nodiscard]] Result<ConnectionString> parse_connection_string(std::string_view text);

}  // namespace skerry::iothub
