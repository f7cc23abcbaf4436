#include "net/tls_stream.hpp"

#include "net/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cerrno>
#include <optional>

namespace skerry::net {

namespace {
// What an OpenSSL call asks for next.
enum class Need { nothing, readable, writable, end, failure };

// Whether the peer complained about who we are, or about our certificate.
bool is_about_trust(int reason) {
    switch (reason) {
        case SSL_R_CERTIFICATE_VERIFY_FAILED:
        case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
        case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
        case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
        case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
        case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
        case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
        case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
        case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED: return true;
        default: return false;
    }
}

class TlsStream final : public Stream {
public:
    TlsStream(Descriptor descriptor, Peer peer, std::shared_ptr<TlsServer> server, std::shared_ptr<TlsClient> client,
              std::string host)
        : descriptor_(std::move(descriptor)),
          peer_(std::move(peer)),
          server_(std::move(server)),
          client_(std::move(client)),
          host_(std::move(host)) {}
    ~TlsStream() override { shut_down(); }

    Task<Result<>> handshake() override {
        if (ready_) co_return Result<>{};
        if (!descriptor_.is_open()) co_return fail(closed_here());
        auto session = server_ ? new_server_session(server_->state(), descriptor_.number())
                               : new_client_session(client_->state(), descriptor_.number(), host_);
        if (!session) co_return fail(session.error());
        session_ = std::move(*session);
        for (;;) {
            prepare_call();
            const auto need = after(SSL_do_handshake(session_.get()));
            if (need == Need::nothing) break;
            if (need == Need::end || need == Need::failure) co_return fail(handshake_error(need));
            if (auto ready = co_await wait(need); !ready) co_return fail(ready.error());
        }
        ready_ = true;
        if (server_) note_client_certificates();
        co_return Result<>{};
    }

    Task<Result<>> wait_readable() override {
        if (!ready_) co_return fail(no_handshake());
        if (descriptor_.is_open() && (SSL_has_pending(session_.get()) == 1 || failure_)) co_return Result<>{};
        co_return co_await descriptor_.wait(Descriptor::Until::readable);
    }

    Task<Result<std::size_t>> read_some(std::span<char> buffer) override {
        if (!ready_) co_return fail(no_handshake());
        if (descriptor_.turn_is_over())
            if (auto turn = co_await descriptor_.next_turn(); !turn) co_return fail(turn.error());
        for (;;) {
            if (drained_) {
                if (auto ready = co_await descriptor_.wait(Descriptor::Until::readable); !ready)
                    co_return fail(ready.error());
                drained_ = false;
            }
            if (!descriptor_.is_open()) co_return fail(closed_here());
            if (failure_) co_return fail(*failure_);
            const auto [taken, need] = read_now(buffer);
            drained_ = need == Need::readable;
            if (taken > 0 || need == Need::end || need == Need::nothing) co_return taken;
            if (need == Need::writable)
                if (auto ready = co_await wait(need); !ready) co_return fail(ready.error());
        }
    }

    Task<Result<>> write(std::string_view bytes) override {
        if (!ready_) co_return fail(no_handshake());
        if (descriptor_.turn_is_over())
            if (auto turn = co_await descriptor_.next_turn(); !turn) co_return fail(turn.error());
        while (!bytes.empty()) {
            if (!descriptor_.is_open()) co_return fail(closed_here());
            if (failure_) co_return fail(*failure_);
            prepare_call();
            std::size_t sent = 0;
            const auto need = after(SSL_write_ex(session_.get(), bytes.data(), bytes.size(), &sent));
            if (need == Need::nothing) {
                bytes.remove_prefix(sent);
            } else if (need == Need::readable || need == Need::writable) {
                if (auto ready = co_await wait(need); !ready) co_return fail(ready.error());
            } else if (!failure_) {
                co_return fail(Errc::closed, "writing to " + peer_.address + ": the peer has closed the connection");
            }
        }
        co_return Result<>{};
    }

    void close() override { shut_down(); }

    [[nodiscard]] const Peer& peer() const override { return peer_; }

private:
    struct Read {
        std::size_t taken;
        Need need;
    };

    static Error no_handshake() { return Error{Errc::internal, "a TLS stream was used before its handshake"}; }

    // One thread serves many sessions, and the queue of errors belongs to the thread.
    static void prepare_call() {
        ERR_clear_error();
        errno = 0;
    }

    Need after(int result) {
        const int number = errno;
        switch (SSL_get_error(session_.get(), result)) {
            case SSL_ERROR_NONE: return Need::nothing;
            case SSL_ERROR_WANT_READ: return Need::readable;
            case SSL_ERROR_WANT_WRITE: return Need::writable;
            case SSL_ERROR_ZERO_RETURN: return Need::end;
            case SSL_ERROR_SYSCALL:
                broken_ = true;
                if (number == 0) return Need::end;
                failure_ = system_error("TLS with " + peer_.address, number);
                return Need::failure;
            default: {
                broken_ = true;
                const auto code =
                    is_about_trust(ERR_GET_REASON(ERR_peek_error())) ? Errc::unauthorized : Errc::malformed;
                failure_ = Error{code, "TLS with " + peer_.address + ": " + take_ssl_reason("protocol error")};
                return Need::failure;
            }
        }
    }

    Task<Result<>> wait(Need need) {
        return descriptor_.wait(need == Need::readable ? Descriptor::Until::readable : Descriptor::Until::writable);
    }

    // Takes what the socket has, until the buffer is full.
    Read read_now(std::span<char> buffer) {
        std::size_t taken = 0;
        while (taken < buffer.size()) {
            prepare_call();
            std::size_t got = 0;
            const auto need = after(SSL_read_ex(session_.get(), buffer.data() + taken, buffer.size() - taken, &got));
            if (need != Need::nothing) return {taken, need};
            taken += got;
        }
        return {taken, Need::nothing};
    }

    Error handshake_error(Need need) {
        if (client_) {
            if (const auto verdict = SSL_get_verify_result(session_.get()); verdict != X509_V_OK)
                return Error{Errc::unauthorized, "the certificate of " + host_ + " (" + peer_.address +
                                                     ") is not trusted: " + X509_verify_cert_error_string(verdict)};
        }
        if (need == Need::failure) return failure_->while_doing("TLS handshake");
        return Error{Errc::closed, "TLS handshake: " + peer_.address + " has closed the connection"};
    }

    void note_client_certificates() {
        const SslOwned<X509> leaf(SSL_get1_peer_certificate(session_.get()));
        if (!leaf) return;
        peer_.certificates_pem.push_back(pem_of(leaf.get()));
        const auto* chain = SSL_get_peer_cert_chain(session_.get());  // without the leaf, on a server
        for (int i = 0; i < sk_X509_num(chain); ++i) peer_.certificates_pem.push_back(pem_of(sk_X509_value(chain, i)));
    }

    void shut_down() {
        if (!descriptor_.is_open()) return;
        if (ready_ && !broken_) {
            // close_notify as far as the socket takes it at once: a peer that doesn't read must not hold us up.
            prepare_call();
            SSL_shutdown(session_.get());
            ERR_clear_error();
        }
        descriptor_.close();
    }

    Descriptor descriptor_;
    Peer peer_;
    std::shared_ptr<TlsServer> server_;  // shared with the listener, which may close before us
    std::shared_ptr<TlsClient> client_;
    std::string host_;
    SslOwned<SSL> session_;
    std::optional<Error> failure_;  // the session can't be used any more
    bool ready_{false};
    bool broken_{false};
    bool drained_{false};
};
}  // namespace

std::unique_ptr<Stream> make_tls_server_stream(Descriptor descriptor, Peer peer, std::shared_ptr<TlsServer> tls) {
    return std::make_unique<TlsStream>(std::move(descriptor), std::move(peer), std::move(tls), nullptr, std::string());
}

std::unique_ptr<Stream> make_tls_client_stream(Descriptor descriptor, Peer peer, std::shared_ptr<TlsClient> tls,
                                               std::string host) {
    return std::make_unique<TlsStream>(std::move(descriptor), std::move(peer), nullptr, std::move(tls),
                                       std::move(host));
}

}  // namespace skerry::net
