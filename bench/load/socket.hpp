// A non-blocking TCP connection, with or without TLS: bytes gather in both directions, and one call moves all it can.
//
// Promises: never blocks. After a failure error() says what happened and nothing more is moved.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct ssl_st;
struct ssl_ctx_st;

namespace skerry::load {

struct SslDeleter {
    void operator()(ssl_st* session) const;
    void operator()(ssl_ctx_st* context) const;
};
using TlsContext = std::unique_ptr<ssl_ctx_st, SslDeleter>;
// Server certificates are not verified: the servers are ours, on loopback, and it is their cost that is measured.
[[nodiscard]] TlsContext make_tls_context();

struct Address {
    sockaddr_storage storage{};
    socklen_t size{0};
};
// A numeric IPv4 or IPv6 address; throws std::runtime_error otherwise.
[[nodiscard]] Address parse_address(const std::string& host, std::uint16_t port);

class Socket {
public:
    Socket() = default;
    ~Socket() { close(); }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    // `tls` may be null.
    void dial(const Address& address, ssl_ctx_st* tls);
    void close();
    [[nodiscard]] int descriptor() const { return descriptor_; }
    [[nodiscard]] bool is_open() const { return established_ && error_.empty(); }
    [[nodiscard]] const std::string& error() const { return error_; }

    // Goes on with connecting and the handshake; true once bytes can be moved.
    bool establish();
    // Appends what has come to `in`; true when it may be that there is more.
    bool receive(std::string& in);
    // Sends what it can of `out` from `at` on and moves `at`.
    void send(std::string_view out, std::size_t& at);
    // What the last call waits for.
    [[nodiscard]] bool wants_writable() const { return wants_writable_; }

private:
    void fail(std::string text);
    bool tls_step(int result);

    int descriptor_{-1};
    std::unique_ptr<ssl_st, SslDeleter> session_;
    bool connected_{false};
    bool established_{false};
    bool wants_writable_{false};
    std::string error_;
};

}  // namespace skerry::load
