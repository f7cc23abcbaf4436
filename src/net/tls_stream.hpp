// TLS over a descriptor, with OpenSSL reading and writing the socket itself.
#pragma once

#include "net/descriptor.hpp"
#include "net/stream.hpp"
#include "net/tls.hpp"

#include <memory>
#include <string>

namespace skerry::net {

// The certificate in use at the handshake is the one that the server had then.
[[nodiscard]] std::unique_ptr<Stream> make_tls_server_stream(Descriptor descriptor, Peer peer,
                                                             std::shared_ptr<TlsServer> tls);
[[nodiscard]] std::unique_ptr<Stream> make_tls_client_stream(Descriptor descriptor, Peer peer,
                                                             std::shared_ptr<TlsClient> tls, std::string host);

}  // namespace skerry::net
