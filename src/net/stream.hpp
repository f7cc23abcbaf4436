// The seam to the network: a byte stream that a coroutine reads and writes. TCP, TLS, unix sockets, and src/sim's.
//
// Threads: the loop's thread. At most one reader and one writer at a time; both may be different coroutines.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::net {

// Who is at the other end, as far as the transport knows.
struct Peer {
    std::string address;           // "127.0.0.1:40712", or "unix"
    std::optional<pid_t> process;  // unix sockets: SO_PEERCRED
    std::optional<uid_t> user;
    std::vector<std::string> certificates_pem;  // TLS: what the client presented, leaf first; unverified on a server
};

class Stream {
public:
    virtual ~Stream() = default;

    // TLS handshake; returns at once on plain streams. Call it before reading or writing.
    [[nodiscard]] virtual Task<Result<>> handshake() = 0;

    // Waits until a read would return something. Lets an idle connection go without a buffer.
    [[nodiscard]] virtual Task<Result<>> wait_readable() = 0;

    // Takes what is there, at least one byte. 0 means the peer has closed in order.
    [[nodiscard]] virtual Task<Result<std::size_t>> read_some(std::span<char> buffer) = 0;

    // Writes all of `bytes`, which must stay alive until then. Errc::closed when the peer is gone.
    [[nodiscard]] virtual Task<Result<>> write(std::string_view bytes) = 0;

    // Closes at once and wakes readers and writers with Errc::closed. Idempotent.
    virtual void close() = 0;

    [[nodiscard]] virtual const Peer& peer() const = 0;
};

class Listener {
public:
    virtual ~Listener() = default;
    // Waits for a connection. Transient errors (EMFILE, ECONNABORTED) are waited out inside; Errc::closed after
    // close().
    [[nodiscard]] virtual Task<Result<std::unique_ptr<Stream>>> accept() = 0;
    virtual void close() = 0;
    [[nodiscard]] virtual std::uint16_t port() const = 0;  // 0 for unix sockets
};

}  // namespace skerry::net
