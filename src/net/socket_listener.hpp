// Listening sockets: they give plain or TLS streams, whose handshake is the caller's to await.
#pragma once

#include "net/descriptor.hpp"
#include "net/stream.hpp"
#include "net/tls.hpp"

#include <memory>

namespace skerry::net {

// `tls` is null for plain streams.
[[nodiscard]] std::unique_ptr<Listener> make_socket_listener(Descriptor listening, std::uint16_t port,
                                                             std::shared_ptr<TlsServer> tls);

// No delays for small writes, and dead peers are noticed; for every TCP connection.
void tune_tcp(int descriptor);

// Address, and for unix sockets the process and user at the other end.
[[nodiscard]] Peer peer_of(int descriptor);

}  // namespace skerry::net
