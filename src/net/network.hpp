// Where streams come from: the system's sockets (make_system_network), or src/sim's lossy network.
#pragma once

#include "net/stream.hpp"
#include "net/tls.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace skerry::net {

class Network {
public:
    virtual ~Network() = default;

    // `address` "" listens on every address, dual-stack. Port 0 takes a free one: ask Listener::port().
    [[nodiscard]] virtual Result<std::unique_ptr<Listener>> listen_tcp(const std::string& address,
                                                                       std::uint16_t port) = 0;
    [[nodiscard]] virtual Result<std::unique_ptr<Listener>> listen_tls(const std::string& address, std::uint16_t port,
                                                                       std::shared_ptr<TlsServer> tls) = 0;
    // Replaces a socket file that is there (stale or not). A path of 108 bytes or more is Errc::malformed, with the
    // limit.
    [[nodiscard]] virtual Result<std::unique_ptr<Listener>> listen_unix(const std::filesystem::path& path,
                                                                        unsigned mode) = 0;
    // A unix listening socket that somebody else opened (systemd, the socket holder); takes ownership of `descriptor`.
    [[nodiscard]] virtual Result<std::unique_ptr<Listener>> adopt_unix(int descriptor) = 0;

    // Resolves and connects (all addresses, in order). Errors: unreachable (also DNS), timeout (`limit` of the system).
    [[nodiscard]] virtual Task<Result<std::unique_ptr<Stream>>> connect_tcp(std::string host, std::uint16_t port) = 0;
    // Includes the handshake. A certificate that is not trusted is Errc::unauthorized, with OpenSSL's reason.
    [[nodiscard]] virtual Task<Result<std::unique_ptr<Stream>>> connect_tls(std::string host, std::uint16_t port,
                                                                            std::shared_ptr<TlsClient> tls) = 0;
    [[nodiscard]] virtual Task<Result<std::unique_ptr<Stream>>> connect_unix(std::filesystem::path path) = 0;
};

[[nodiscard]] std::unique_ptr<Network> make_system_network(Executor executor);

// Lets this process have as many sockets as the system allows (its hard limit: services often begin with a soft one of
// 1,024), and says how many descriptors that is. For servers only: what they start inherits it.
std::uint64_t allow_most_sockets();

}  // namespace skerry::net
