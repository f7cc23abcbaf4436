#include "load/socket.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace skerry::load {

namespace {
constexpr std::size_t read_size = 64 * 1024;
}

void SslDeleter::operator()(ssl_st* session) const { SSL_free(session); }
void SslDeleter::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

TlsContext make_tls_context() {
    TlsContext context(SSL_CTX_new(TLS_client_method()));
    if (!context) throw std::runtime_error("OpenSSL gives no context");
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);  // every connection pays its whole handshake
    SSL_CTX_set_mode(context.get(),
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context.get(), 1);
    return context;
}

Address parse_address(const std::string& host, std::uint16_t port) {
    Address address;
    auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
    if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        address.size = sizeof v4;
    } else if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        address.size = sizeof v6;
    } else {
        throw std::runtime_error("'" + host + "' is no numeric address");
    }
    return address;
}

void Socket::dial(const Address& address, ssl_ctx_st* tls) {
    close();
    error_.clear();
    descriptor_ = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor_ < 0) return fail(std::string("socket: ") + std::strerror(errno));
    const int on = 1;
    ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address.storage), address.size) < 0 &&
        errno != EINPROGRESS)
        return fail(std::string("connect: ") + std::strerror(errno));
    wants_writable_ = true;
    if (tls == nullptr) return;
    session_.reset(SSL_new(tls));
    SSL_set_fd(session_.get(), descriptor_);
    SSL_set_connect_state(session_.get());
}

void Socket::close() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
    session_.reset();
    connected_ = established_ = wants_writable_ = false;
}

void Socket::fail(std::string text) {
    if (error_.empty()) error_ = std::move(text);
    wants_writable_ = false;
}

// Whether the OpenSSL call that gave `result` did something.
bool Socket::tls_step(int result) {
    switch (SSL_get_error(session_.get(), result)) {
        case SSL_ERROR_NONE: return true;
        case SSL_ERROR_WANT_READ: return false;
        case SSL_ERROR_WANT_WRITE: wants_writable_ = true; return false;
        case SSL_ERROR_ZERO_RETURN: fail("the server has closed the connection"); return false;
        default: {
            std::array<char, 256> text{};
            ERR_error_string_n(ERR_get_error(), text.data(), text.size());
            fail(errno != 0 ? std::string("TLS: ") + std::strerror(errno) : std::string("TLS: ") + text.data());
            return false;
        }
    }
}

bool Socket::establish() {
    if (established_ || !error_.empty()) return is_open();
    if (!connected_) {
        int failed = 0;
        socklen_t size = sizeof failed;
        ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &failed, &size);
        if (failed != 0) {
            fail(std::string("connect: ") + std::strerror(failed));
            return false;
        }
        connected_ = true;
    }
    wants_writable_ = false;
    if (session_) {
        ERR_clear_error();
        errno = 0;
        if (!tls_step(SSL_do_handshake(session_.get()))) return false;
    }
    established_ = true;
    return true;
}

bool Socket::receive(std::string& in) {
    const auto before = in.size();
    in.resize_and_overwrite(before + read_size, [&](char* data, std::size_t) {
        std::size_t got = 0;
        if (session_) {
            ERR_clear_error();
            errno = 0;
            if (!tls_step(SSL_read_ex(session_.get(), data + before, read_size, &got))) got = 0;
            return before + got;
        }
        const auto count = ::recv(descriptor_, data + before, read_size, 0);
        if (count > 0) got = static_cast<std::size_t>(count);
        if (count == 0) fail("the server has closed the connection");
        if (count < 0 && errno != EAGAIN && errno != EINTR) fail(std::string("receiving: ") + std::strerror(errno));
        return before + got;
    });
    const auto got = in.size() - before;
    return session_ ? got > 0 : got == read_size;
}

void Socket::send(std::string_view out, std::size_t& at) {
    wants_writable_ = false;
    while (at < out.size() && error_.empty() && !wants_writable_) {
        if (session_) {
            ERR_clear_error();
            errno = 0;
            std::size_t sent = 0;
            if (!tls_step(SSL_write_ex(session_.get(), out.data() + at, out.size() - at, &sent))) return;
            at += sent;
            continue;
        }
        const auto sent = ::send(descriptor_, out.data() + at, out.size() - at, MSG_NOSIGNAL);
        if (sent >= 0) {
            at += static_cast<std::size_t>(sent);
        } else if (errno == EAGAIN) {
            wants_writable_ = true;
        } else if (errno != EINTR) {
            fail(std::string("sending: ") + std::strerror(errno));
        }
    }
}

}  // namespace skerry::load
