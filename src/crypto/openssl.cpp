#include "crypto/openssl.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <fmt/format.h>

#include <climits>

namespace skerry::crypto {

Error openssl_error(Errc code, std::string_view what) {
    const auto number = ERR_peek_last_error();
    ERR_clear_error();
    const char* reason = number == 0 ? nullptr : ERR_reason_error_string(number);
    return Error{code, reason == nullptr ? std::string(what) : fmt::format("{}: {}", what, reason)};
}

OwnedBio reading_bio(std::string_view text) {
    if (text.size() > INT_MAX) text = {};
    return OwnedBio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string content_of(BIO* bio) {
    char* data = nullptr;
    const auto size = BIO_get_mem_data(bio, &data);
    return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

namespace {
// Without a callback of ours OpenSSL would ask for a password on the terminal.
int refuse_password(char*, int, int, void*) { return -1; }
}  // namespace

Result<OwnedKey> read_private_key(std::string_view pem) {
    const auto bio = reading_bio(pem);
    OwnedKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, refuse_password, nullptr));
    if (!key) return fail(openssl_error(Errc::malformed, "not a private key in PEM without a password"));
    return key;
}

Result<OwnedCertificate> read_certificate(std::string_view pem) {
    const auto bio = reading_bio(pem);
    OwnedCertificate certificate(PEM_read_bio_X509(bio.get(), nullptr, refuse_password, nullptr));
    if (!certificate) return fail(openssl_error(Errc::malformed, "not a certificate in PEM"));
    return certificate;
}

}  // namespace skerry::crypto
