// Signatures of others: is a message from who holds a key?
#pragma once

#include "base/result.hpp"

#include <string_view>

namespace skerry::crypto {

// ECDSA over P-256 with SHA-256, as `openssl dgst -sha256 -sign` and cosign make it: the signature is DER, the key a
// PEM "PUBLIC KEY". Errc::unauthorized when it does not fit, Errc::malformed for a key of another kind.
[[nodiscard]] Result<> verify_ecdsa_p256(std::string_view public_key_pem, std::string_view message,
                                         std::string_view signature);
// Whether the PEM is a public key that verify_ecdsa_p256 can use.
[[nodiscard]] Result<> check_p256_public_key(std::string_view pem);

}  // namespace skerry::crypto
