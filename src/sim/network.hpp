// A network in memory, with the faults of a real one and none of its chance: machines with names, latency, partitions,
// resets, and bytes that arrive in pieces of random size from the seed.
//
//   host("edge").connect_tcp("hub.example", 443) ---> write --latency--> [flying] --unless partitioned--> [arrived] -->
//   read_some
//
// Promises: bytes arrive whole and in order, or the connection ends. Each direction holds 256 KiB, then the writer
//           waits. TLS connections are plain inside; a plain peer at a TLS listener fails its handshake, and the
//           other way round.
// Threads:  the loop's thread.
#pragma once

#include "base/random.hpp"
#include "net/network.hpp"
#include "sim/clock.hpp"

#include <map>
#include <memory>
#include <string>

namespace skerry::sim {

struct NetworkState;

// The network itself is the view from the machine "localhost"; tests of one machine need no other.
class SimNetwork final : public net::Network {
public:
    SimNetwork(Executor executor, SimClock& clock, Random& random);
    ~SimNetwork() override;

    // The view from a machine. Listening at an address that is a name makes it one more name of the machine.
    [[nodiscard]] net::Network& host(const std::string& machine);
    void add_name(const std::string& name, const std::string& machine);

    // For bytes and connects between machines (a machine reaches itself at once).
    void set_latency(Duration least, Duration jitter = {});

    // Bytes under way wait until heal(); a connect takes 30 s and fails with Errc::timeout.
    void partition(const std::string& machine, const std::string& other);
    void heal(const std::string& machine, const std::string& other);

    // Ends all connections between the two (which may be one), without what is under way.
    void reset(const std::string& machine, const std::string& other);
    // What the peers see when a machine loses its power: its connections are reset and its listeners gone.
    void crash(const std::string& machine);

    [[nodiscard]] std::size_t open_connections() const;

    Result<std::unique_ptr<net::Listener>> listen_tcp(const std::string& address, std::uint16_t port) override;
    Result<std::unique_ptr<net::Listener>> listen_tls(const std::string& address, std::uint16_t port,
                                                      std::shared_ptr<net::TlsServer> tls) override;
    Result<std::unique_ptr<net::Listener>> listen_unix(const std::filesystem::path& path, unsigned mode) override;
    Result<std::unique_ptr<net::Listener>> adopt_unix(int descriptor) override;
    Task<Result<std::unique_ptr<net::Stream>>> connect_tcp(std::string host, std::uint16_t port) override;
    Task<Result<std::unique_ptr<net::Stream>>> connect_tls(std::string host, std::uint16_t port,
                                                           std::shared_ptr<net::TlsClient> tls) override;
    Task<Result<std::unique_ptr<net::Stream>>> connect_unix(std::filesystem::path path) override;

private:
    std::shared_ptr<NetworkState> state_;  // shared with streams and listeners, whatever ends first
    std::map<std::string, std::unique_ptr<net::Network>> hosts_;
};

}  // namespace skerry::sim
