// The OpenSSL side of TlsServer and TlsClient, for this library's .cpp files only.
#pragma once

#include "net/tls.hpp"

#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace skerry::net {

struct SslDeleter {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* session) const { SSL_free(session); }
    void operator()(BIO* bio) const { BIO_free_all(bio); }
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(X509_STORE_CTX* context) const { X509_STORE_CTX_free(context); }
};
template <class T>
using SslOwned = std::unique_ptr<T, SslDeleter>;

struct TlsServer::State {
    SslOwned<SSL_CTX> context;  // sessions hold a reference of their own
    bool request_client_certificate{false};
};

struct TlsClient::State {
    SslOwned<SSL_CTX> context;
    bool trust_system_store{true};
    bool bundle_read{false};
};

// A session on a connected descriptor, ready for its handshake.
[[nodiscard]] Result<SslOwned<SSL>> new_server_session(TlsServer::State& server, int descriptor);
// Verifies the chain and that it is for `host`, a name or an IP address.
[[nodiscard]] Result<SslOwned<SSL>> new_client_session(TlsClient::State& client, int descriptor,
                                                       const std::string& host);

// The first reason in OpenSSL's queue of errors, which is emptied; `otherwise` when it is empty.
[[nodiscard]] std::string take_ssl_reason(std::string_view otherwise);

[[nodiscard]] std::string pem_of(X509* certificate);

}  // namespace skerry::net
