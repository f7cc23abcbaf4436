#include "net/tls.hpp"

#include "net/address.hpp"
#include "net/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <array>

namespace skerry::net {

std::string take_ssl_reason(std::string_view otherwise) {
    const auto code = ERR_get_error();
    ERR_clear_error();
    const auto* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    return reason != nullptr ? std::string(reason) : std::string(otherwise);
}

std::string pem_of(X509* certificate) {
    const SslOwned<BIO> memory(BIO_new(BIO_s_mem()));
    if (!memory || PEM_write_bio_X509(memory.get(), certificate) != 1) return {};
    char* text = nullptr;
    const auto size = BIO_get_mem_data(memory.get(), &text);
    return {text, static_cast<std::size_t>(size)};
}

namespace {
// An encrypted key must fail, not ask at the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

Error tls_error(std::string_view doing) {
    return Error{Errc::malformed, std::string(doing) + ": " + take_ssl_reason("no reason given")};
}

SslOwned<BIO> reader_of(std::string_view text) {
    return SslOwned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Result<> load_chain(SSL_CTX* context, std::string_view pem) {
    const auto reader = reader_of(pem);
    const SslOwned<X509> leaf(PEM_read_bio_X509(reader.get(), nullptr, no_passphrase, nullptr));
    if (!leaf) return fail(tls_error("reading the certificate"));
    if (SSL_CTX_use_certificate(context, leaf.get()) != 1) return fail(tls_error("using the certificate"));
    while (SslOwned<X509> next{PEM_read_bio_X509(reader.get(), nullptr, no_passphrase, nullptr)}) {
        if (SSL_CTX_add1_chain_cert(context, next.get()) != 1) return fail(tls_error("using the certificate chain"));
    }
    ERR_clear_error();  // the end of the text reads as an error
    return {};
}

Result<> load_identity(SSL_CTX* context, std::string_view chain_pem, std::string_view key_pem) {
    if (auto loaded = load_chain(context, chain_pem); !loaded) return loaded;
    const auto reader = reader_of(key_pem);
    const SslOwned<EVP_PKEY> key(PEM_read_bio_PrivateKey(reader.get(), nullptr, no_passphrase, nullptr));
    if (!key) return fail(tls_error("reading the private key"));
    if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1)
        return fail(tls_error("the private key does not fit the certificate"));
    return {};
}

Result<SslOwned<SSL_CTX>> new_context(const SSL_METHOD* method) {
    ERR_clear_error();
    SslOwned<SSL_CTX> context(SSL_CTX_new(method));
    if (!context) return fail(Errc::internal, "setting up TLS: " + take_ssl_reason("out of memory"));
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    // A peer that goes away without a close_notify is at its end all the same: our protocols frame their messages.
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    // One read takes a whole record and what follows it, instead of a header first.
    SSL_CTX_set_read_ahead(context.get(), 1);
    return context;
}

int accept_any_client(X509_STORE_CTX* verification, void*) {
    X509_STORE_CTX_set_error(verification, X509_V_OK);
    return 1;
}

Result<SslOwned<SSL_CTX>> server_context(std::string_view chain_pem, std::string_view key_pem,
                                         bool request_certificate) {
    auto context = new_context(TLS_server_method());
    if (!context) return context;
    auto* raw = context->get();
    // Tickets would keep session state in every client and memory here; connections are long-lived.
    SSL_CTX_set_options(raw, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_num_tickets(raw, 0);
    if (auto loaded = load_identity(raw, chain_pem, key_pem); !loaded) return fail(loaded.error());
    if (request_certificate) {
        SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
        SSL_CTX_set_cert_verify_callback(raw, accept_any_client, nullptr);
    }
    return context;
}
}  // namespace

TlsServer::TlsServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsServer::~TlsServer() = default;

Result<std::shared_ptr<TlsServer>> TlsServer::create(const Options& options) {
    auto context =
        server_context(options.certificate_chain_pem, options.private_key_pem, options.request_client_certificate);
    if (!context) return fail(context.error());
    auto state = std::make_unique<State>();
    state->context = std::move(*context);
    state->request_client_certificate = options.request_client_certificate;
    return std::make_shared<TlsServer>(std::move(state));
}

Result<> TlsServer::replace(std::string_view certificate_chain_pem, std::string_view private_key_pem) {
    auto context = server_context(certificate_chain_pem, private_key_pem, state_->request_client_certificate);
    if (!context) return fail(context.error());
    state_->context = std::move(*context);
    return {};
}

Result<SslOwned<SSL>> new_server_session(TlsServer::State& server, int descriptor) {
    ERR_clear_error();
    SslOwned<SSL> session(SSL_new(server.context.get()));
    if (!session || SSL_set_fd(session.get(), descriptor) != 1)
        return fail(Errc::internal, "setting up TLS: " + take_ssl_reason("out of memory"));
    SSL_set_accept_state(session.get());
    return session;
}

namespace {
// Systems that keep their authorities in one file instead of OpenSSL's folder of hashed names.
constexpr std::array bundle_files{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                  "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};

void read_bundle(X509_STORE* store) {
    auto* lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    auto found = lookup != nullptr && X509_LOOKUP_load_file(lookup, nullptr, X509_FILETYPE_DEFAULT) == 1;
    for (const auto* file : bundle_files) {
        if (found) break;
        found = X509_STORE_load_file(store, file) == 1;
    }
    ERR_clear_error();
}

// Verifies a second time: a context can be used only once.
int verify_again(X509_STORE_CTX* first, X509_STORE* store) {
    const SslOwned<X509_STORE_CTX> second(X509_STORE_CTX_new());
    if (!second || X509_STORE_CTX_init(second.get(), store, X509_STORE_CTX_get0_cert(first),
                                       X509_STORE_CTX_get0_untrusted(first)) != 1)
        return 0;
    X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(second.get()), X509_STORE_CTX_get0_param(first));
    const auto trusted = X509_verify_cert(second.get());
    X509_STORE_CTX_set_error(first, X509_STORE_CTX_get_error(second.get()));
    return trusted > 0 ? 1 : 0;
}

bool lacks_an_authority(int error) {
    return error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT || error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
           error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE || error == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN;
}

// The extra roots, then the system's folder (which reads only the files it needs), then, once, the system's bundle:
// parsed as a whole it takes more than a megabyte, so it is read only for a chain that nothing else explains.
int verify_server(X509_STORE_CTX* verification, void* argument) {
    auto& client = *static_cast<TlsClient::State*>(argument);
    if (X509_verify_cert(verification) > 0) return 1;
    if (!client.trust_system_store || client.bundle_read || !lacks_an_authority(X509_STORE_CTX_get_error(verification)))
        return 0;
    auto* store = SSL_CTX_get_cert_store(client.context.get());
    read_bundle(store);
    client.bundle_read = true;
    return verify_again(verification, store);
}

Result<> trust(SSL_CTX* context, const TlsClient::Options& options) {
    auto* store = SSL_CTX_get_cert_store(context);
    const auto reader = reader_of(options.trusted_pem);
    std::size_t count = 0;
    while (SslOwned<X509> root{PEM_read_bio_X509(reader.get(), nullptr, no_passphrase, nullptr)}) {
        if (X509_STORE_add_cert(store, root.get()) != 1) return fail(tls_error("adding a trusted certificate"));
        ++count;
    }
    ERR_clear_error();
    if (count == 0 && !options.trusted_pem.empty())
        return fail(Errc::malformed, "the trusted certificates hold no certificate in PEM format");
    if (!options.trust_system_store) return {};
    auto* folder = X509_STORE_add_lookup(store, X509_LOOKUP_hash_dir());
    if (folder != nullptr) X509_LOOKUP_add_dir(folder, nullptr, X509_FILETYPE_DEFAULT);
    ERR_clear_error();
    return {};
}
}  // namespace

TlsClient::TlsClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsClient::~TlsClient() = default;

Result<std::shared_ptr<TlsClient>> TlsClient::create(const Options& options) {
    auto context = new_context(TLS_client_method());
    if (!context) return fail(context.error());
    if (auto trusted = trust(context->get(), options); !trusted) return fail(trusted.error());
    if (!options.certificate_chain_pem.empty()) {
        if (auto loaded = load_identity(context->get(), options.certificate_chain_pem, options.private_key_pem);
            !loaded)
            return fail(loaded.error());
    }
    auto state = std::make_unique<State>();
    state->context = std::move(*context);
    state->trust_system_store = options.trust_system_store;
    SSL_CTX_set_verify(state->context.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(state->context.get(), verify_server, state.get());
    return std::make_shared<TlsClient>(std::move(state));
}

Result<SslOwned<SSL>> new_client_session(TlsClient::State& client, int descriptor, const std::string& host) {
    ERR_clear_error();
    SslOwned<SSL> session(SSL_new(client.context.get()));
    if (!session || SSL_set_fd(session.get(), descriptor) != 1)
        return fail(Errc::internal, "setting up TLS: " + take_ssl_reason("out of memory"));
    SSL_set_connect_state(session.get());
    bool expects = false;
    if (parse_address(host, 0)) {
        const auto bare = host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
        expects = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session.get()), bare.c_str()) == 1;
    } else {
        SSL_set_hostflags(session.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        expects = SSL_set1_host(session.get(), host.c_str()) == 1 &&
                  SSL_set_tlsext_host_name(session.get(), host.c_str()) == 1;
    }
    if (!expects) return fail(Errc::malformed, "'" + host + "' can't be used as a TLS server name");
    return session;
}

}  // namespace skerry::net
