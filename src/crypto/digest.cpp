#include "crypto/crypto.hpp"
#include "crypto/openssl.hpp"

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include <array>
#include <climits>
#include <stdexcept>

namespace skerry::crypto {

std::string sha256(std::string_view bytes) {
    std::string digest(32, '\0');
    unsigned int size = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), bytes_of(digest), &size, EVP_sha256(), nullptr) != 1)
        throw std::runtime_error("OpenSSL has no SHA-256");
    return digest;
}

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
    // RFC 2104: a key longer than the block stands for its digest; OpenSSL takes lengths as int.
    std::string shortened;
    if (key.size() > INT_MAX) key = shortened = sha256(key);
    std::string digest(32, '\0');
    unsigned int size = 0;
    const char* key_data = key.empty() ? "" : key.data();
    if (HMAC(EVP_sha256(), key_data, static_cast<int>(key.size()), bytes_of(bytes), bytes.size(), bytes_of(digest),
             &size) == nullptr)
        throw std::runtime_error("OpenSSL has no HMAC-SHA-256");
    return digest;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace skerry::crypto
