#include "crypto/signature.hpp"

#include "crypto/openssl.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <array>
#include <memory>

namespace skerry::crypto {

namespace {
using OwnedDigest = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;

Result<OwnedKey> read_p256_public_key(std::string_view pem) {
    const auto bio = reading_bio(pem);
    OwnedKey key(bio ? PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr) : nullptr);
    if (!key) return fail(openssl_error(Errc::malformed, "not a public key in PEM"));
    std::array<char, 64> group{};
    std::size_t size = 0;
    const bool is_p256 =
        EVP_PKEY_is_a(key.get(), "EC") == 1 &&
        EVP_PKEY_get_utf8_string_param(key.get(), OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size(), &size) == 1 &&
        std::string_view(group.data(), size) == "prime256v1";
    ERR_clear_error();
    if (!is_p256) return fail(Errc::malformed, "the public key is not one of ECDSA P-256");
    return key;
}
}  // namespace

Result<> verify_ecdsa_p256(std::string_view public_key_pem, std::string_view message, std::string_view signature) {
    const auto key = read_p256_public_key(public_key_pem);
    if (!key) return fail(key.error());
    const OwnedDigest context(EVP_MD_CTX_new());
    if (!context || EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key->get()) != 1)
        return fail(openssl_error(Errc::internal, "preparing to verify a signature"));
    const bool fits =
        EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(message), message.size()) == 1;
    ERR_clear_error();
    if (fits) return {};
    return fail(Errc::unauthorized, "the signature was not made with this key");
}

Result<> check_p256_public_key(std::string_view pem) {
    const auto key = read_p256_public_key(pem);
    if (!key) return fail(key.error());
    return {};
}

}  // namespace skerry::crypto
