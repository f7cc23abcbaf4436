#include "net/socket_listener.hpp"

#include "base/log.hpp"
#include "net/address.hpp"
#include "net/socket_stream.hpp"
#include "net/tls_stream.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>

namespace skerry::net {

using namespace std::chrono_literals;

void tune_tcp(int descriptor) {
    const auto set = [descriptor](int level, int option, int value) {
        ::setsockopt(descriptor, level, option, &value, sizeof value);
    };
    set(IPPROTO_TCP, TCP_NODELAY, 1);
    // A peer that lost its power is gone after 60 + 4 * 15 seconds.
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
    set(IPPROTO_TCP, TCP_KEEPINTVL, 15);
    set(IPPROTO_TCP, TCP_KEEPCNT, 4);
}

Peer peer_of(int descriptor) {
    Peer peer;
    SocketAddress address;
    if (::getpeername(descriptor, address.raw(), &address.size) != 0) return peer;
    peer.address = text_of(address);
    if (address.family() != AF_UNIX) return peer;
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
        peer.process = credentials.pid;
        peer.user = credentials.uid;
    }
    return peer;
}

namespace {
constexpr Duration shortage_pause = 100ms;
constexpr Duration shortage_log_interval = 30s;

class SocketListener final : public Listener {
public:
    SocketListener(Descriptor listening, std::uint16_t port, std::shared_ptr<TlsServer> tls)
        : listening_(std::move(listening)), port_(port), tls_(std::move(tls)) {}

    Task<Result<std::unique_ptr<Stream>>> accept() override {
        if (listening_.turn_is_over())
            if (auto turn = co_await listening_.next_turn(); !turn) co_return fail(turn.error());
        for (;;) {
            if (!listening_.is_open()) co_return fail(Errc::closed, "the listener was closed");
            const int number = ::accept4(listening_.number(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (number >= 0) {
                if (auto stream = stream_on(number)) co_return std::move(*stream);
                continue;
            }
            const int failed = errno;
            if (failed == EBADF || failed == EINVAL || failed == ENOTSOCK)
                co_return fail(system_error("accepting connections", failed));
            if (is_shortage(failed)) {
                report_shortage(failed);
                if (auto paused = co_await listening_.pause(shortage_pause); !paused) co_return fail(paused.error());
            } else if (failed == EAGAIN) {
                if (auto ready = co_await listening_.wait(Descriptor::Until::readable); !ready)
                    co_return fail(ready.error());
            }
            // Anything else is the trouble of one connection that has gone already.
        }
    }

    void close() override { listening_.close(); }
    [[nodiscard]] std::uint16_t port() const override { return port_; }

private:
    static bool is_shortage(int failed) {
        return failed == EMFILE || failed == ENFILE || failed == ENOBUFS || failed == ENOMEM;
    }

    // Fails when the connection has gone or can't be watched; the listener goes on.
    Result<std::unique_ptr<Stream>> stream_on(int number) {
        auto peer = peer_of(number);
        if (peer.address != "unix") tune_tcp(number);
        auto descriptor = Descriptor::adopt(listening_.executor(), number);
        if (!descriptor) return fail(descriptor.error());
        if (tls_) return make_tls_server_stream(std::move(*descriptor), std::move(peer), tls_);
        return make_socket_stream(std::move(*descriptor), std::move(peer));
    }

    void report_shortage(int failed) {
        const auto now = std::chrono::steady_clock::now();
        if (reported_ && now - *reported_ < shortage_log_interval) return;
        reported_ = now;
        log::warn("connections wait to be accepted on port {}: {}; raise the limit of open files or close connections",
                  port_, system_error("accept", failed).text);
    }

    Descriptor listening_;
    std::uint16_t port_;
    std::shared_ptr<TlsServer> tls_;  // shared by listeners and their connections
    std::optional<SteadyTime> reported_;
};
}  // namespace

std::unique_ptr<Listener> make_socket_listener(Descriptor listening, std::uint16_t port,
                                               std::shared_ptr<TlsServer> tls) {
    return std::make_unique<SocketListener>(std::move(listening), port, std::move(tls));
}

}  // namespace skerry::net
