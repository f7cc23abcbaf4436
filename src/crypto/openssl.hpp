// Inside crypto only: owners for OpenSSL's objects, and its error queue as an Error.
#pragma once

#include "base/result.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

namespace skerry::crypto {

template <auto Free>
struct FreeWith {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};

using OwnedBio = std::unique_ptr<BIO, FreeWith<BIO_free>>;
using OwnedKey = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using OwnedCertificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using OwnedExtension = std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>>;
using OwnedNames = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;
using OwnedCipher = std::unique_ptr<EVP_CIPHER_CTX, FreeWith<EVP_CIPHER_CTX_free>>;

[[nodiscard]] inline const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}
[[nodiscard]] inline unsigned char* bytes_of(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
}

// `what` and OpenSSL's last reason; empties the thread's error queue.
[[nodiscard]] Error openssl_error(Errc code, std::string_view what);

[[nodiscard]] OwnedBio reading_bio(std::string_view text);
[[nodiscard]] std::string content_of(BIO* bio);

// Errc::malformed when there is none; a key with a password is refused, never asked for.
[[nodiscard]] Result<OwnedKey> read_private_key(std::string_view pem);
[[nodiscard]] Result<OwnedCertificate> read_certificate(std::string_view pem);

}  // namespace skerry::crypto
