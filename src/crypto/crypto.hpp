// Keys, certificates, MACs and encryption (OpenSSL 3 inside). All functions are pure but for the randomness they name.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace skerry::crypto {

[[nodiscard]] std::string sha256(std::string_view bytes);
[[nodiscard]] std::string hmac_sha256(std::string_view key, std::string_view bytes);
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b);

// AES-256-GCM. `key` has 32 bytes; the IV may have any length from 1. The result is ciphertext followed by the
// 16-byte tag.
[[nodiscard]] Result<std::string> aes_gcm_encrypt(std::string_view key, std::string_view iv, std::string_view aad,
                                                  std::string_view plaintext);
// Errc::unauthorized when the tag does not fit.
[[nodiscard]] Result<std::string> aes_gcm_decrypt(std::string_view key, std::string_view iv, std::string_view aad,
                                                  std::string_view ciphertext);

enum class KeyKind { p256, rsa2048 };
[[nodiscard]] Result<std::string> generate_private_key_pem(KeyKind kind);  // PKCS#8

struct CertificateRequest {
    std::string common_name;  // 64 bytes at most (longer ones are cut in the subject and kept in the SANs)
    std::vector<std::string> dns_names;
    std::vector<std::string> ip_addresses;
    std::vector<std::string> uris;
    bool is_ca{false};  // with path length 0 unless `path_length` says otherwise; negative: no limit
    int path_length{0};
    bool server_auth{false};
    bool client_auth{false};
    WallTime not_before;
    WallTime not_after;  // clamped to the issuer's
};

// Issues a certificate for the public half of `subject_key_pem`, with a random serial number, SKI and AKI.
[[nodiscard]] Result<std::string> issue_certificate(const CertificateRequest& request, std::string_view subject_key_pem,
                                                    std::string_view issuer_certificate_pem,
                                                    std::string_view issuer_key_pem);
[[nodiscard]] Result<std::string> self_signed_certificate(const CertificateRequest& request, std::string_view key_pem);

struct Certificate {
    std::string common_name;
    std::vector<std::string> dns_names;
    WallTime not_before;
    WallTime not_after;
    bool is_ca{false};
    std::string sha1_thumbprint;    // 40 hex digits, upper case
    std::string sha256_thumbprint;  // 64
};
[[nodiscard]] Result<Certificate> parse_certificate(std::string_view pem);  // the first one in the text
// Each certificate's PEM; text between them is skipped. Errc::full for more than 1024.
[[nodiscard]] Result<std::vector<std::string>> split_certificates(std::string_view pem);
// Whether the chain (leaf first) leads to one of the roots at `now`.
[[nodiscard]] Result<> verify_chain(const std::vector<std::string>& chain_pem, std::string_view roots_pem,
                                    WallTime now);
[[nodiscard]] Result<> key_matches_certificate(std::string_view key_pem, std::string_view certificate_pem);

}  // namespace skerry::crypto
