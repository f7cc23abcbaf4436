#include "net/socket_stream.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace skerry::net {

namespace {
class SocketStream final : public Stream {
public:
    SocketStream(Descriptor descriptor, Peer peer) : descriptor_(std::move(descriptor)), peer_(std::move(peer)) {}

    Task<Result<>> handshake() override { co_return Result<>{}; }

    Task<Result<>> wait_readable() override { return descriptor_.wait(Descriptor::Until::readable); }

    Task<Result<std::size_t>> read_some(std::span<char> buffer) override {
        if (descriptor_.turn_is_over())
            if (auto turn = co_await descriptor_.next_turn(); !turn) co_return fail(turn.error());
        for (;;) {
            // After a read that took all there was, asking the socket again would only cost a system call.
            if (drained_) {
                if (auto ready = co_await descriptor_.wait(Descriptor::Until::readable); !ready)
                    co_return fail(ready.error());
                drained_ = false;
            }
            if (!descriptor_.is_open()) co_return fail(closed_here());
            const auto got = ::recv(descriptor_.number(), buffer.data(), buffer.size(), 0);
            if (got > 0) {
                drained_ = static_cast<std::size_t>(got) < buffer.size();
                co_return static_cast<std::size_t>(got);
            }
            if (got == 0) co_return std::size_t{0};
            if (errno == EAGAIN)
                drained_ = true;
            else if (errno != EINTR)
                co_return fail(system_error("reading from " + peer_.address, errno));
        }
    }

    Task<Result<>> write(std::string_view bytes) override {
        if (descriptor_.turn_is_over())
            if (auto turn = co_await descriptor_.next_turn(); !turn) co_return fail(turn.error());
        while (!bytes.empty()) {
            if (!descriptor_.is_open()) co_return fail(closed_here());
            const auto sent = ::send(descriptor_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent >= 0) {
                bytes.remove_prefix(static_cast<std::size_t>(sent));
            } else if (errno == EAGAIN) {
                if (auto ready = co_await descriptor_.wait(Descriptor::Until::writable); !ready)
                    co_return fail(ready.error());
            } else if (errno != EINTR) {
                co_return fail(system_error("writing to " + peer_.address, errno));
            }
        }
        co_return Result<>{};
    }

    void close() override { descriptor_.close(); }

    [[nodiscard]] const Peer& peer() const override { return peer_; }

private:
    Descriptor descriptor_;
    Peer peer_;
    bool drained_{true};
};
}  // namespace

std::unique_ptr<Stream> make_socket_stream(Descriptor descriptor, Peer peer) {
    return std::make_unique<SocketStream>(std::move(descriptor), std::move(peer));
}

}  // namespace skerry::net
