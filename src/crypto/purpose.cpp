#include "crypto/purpose.hpp"

#include "crypto/openssl.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>

namespace skerry::crypto {

Result<> may_be_client(std::string_view pem) {
    const auto certificate = read_certificate(pem);
    if (!certificate) return fail(certificate.error());
    const bool fits = X509_check_purpose(certificate->get(), X509_PURPOSE_SSL_CLIENT, 0) == 1;
    ERR_clear_error();
    if (fits) return {};
    return fail(Errc::unauthorized, "its (extended) key usage does not allow TLS clients");
}

}  // namespace skerry::crypto
