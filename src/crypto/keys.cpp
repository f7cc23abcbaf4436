#include "crypto/crypto.hpp"
#include "crypto/openssl.hpp"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

namespace skerry::crypto {

Result<std::string> generate_private_key_pem(KeyKind kind) {
    const OwnedKey key(kind == KeyKind::p256 ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048));
    if (!key) return fail(openssl_error(Errc::internal, "generating a private key"));
    const OwnedBio bio(BIO_new(BIO_s_mem()));
    if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
        return fail(openssl_error(Errc::internal, "writing a private key"));
    return content_of(bio.get());
}

Result<> key_matches_certificate(std::string_view key_pem, std::string_view certificate_pem) {
    const auto key = read_private_key(key_pem);
    if (!key) return fail(key.error());
    const auto certificate = read_certificate(certificate_pem);
    if (!certificate) return fail(certificate.error());
    if (X509_check_private_key(certificate->get(), key->get()) != 1)
        return fail(openssl_error(Errc::malformed, "the private key does not belong to the certificate"));
    return {};
}

}  // namespace skerry::crypto
