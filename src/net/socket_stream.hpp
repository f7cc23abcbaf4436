// Plain TCP and unix sockets as Streams.
#pragma once

#include "net/descriptor.hpp"
#include "net/stream.hpp"

#include <memory>

namespace skerry::net {

[[nodiscard]] std::unique_ptr<Stream> make_socket_stream(Descriptor descriptor, Peer peer);

}  // namespace skerry::net
