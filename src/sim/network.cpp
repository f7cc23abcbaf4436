#include "sim/network.hpp"

#include "net/address.hpp"
#include "sim/wire.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>

namespace skerry::sim {

using namespace std::chrono_literals;

namespace {
constexpr Duration connect_limit = 30s;
constexpr std::size_t most_pending = 128;

bool is_this_machine(const std::string& address) {
    return address.empty() || address == "localhost" || address == "127.0.0.1" || address == "::1" ||
           address == "0.0.0.0" || address == "::";
}

class SimListener final : public net::Listener {
public:
    SimListener(std::shared_ptr<NetworkState> network, std::shared_ptr<ListenerState> state, std::uint16_t port)
        : network_(std::move(network)), state_(std::move(state)), port_(port) {}
    ~SimListener() override { close(); }

    Task<Result<std::unique_ptr<net::Stream>>> accept() override {
        const auto state = state_;
        const auto port = port_;
        while (!state->closed && state->pending.empty()) co_await state->changed.wait();
        if (state->closed) co_return fail(Errc::closed, "the listener was closed");
        auto wire = std::move(state->pending.front());
        state->pending.pop_front();
        net::Peer peer;
        peer.address = port == 0 ? "unix" : fmt::format("{}:{}", wire->machines[0], port);
        if (port == 0) {
            peer.process = ::getpid();
            peer.user = ::getuid();
        }
        co_return make_sim_stream(std::move(wire), 1, std::move(peer));
    }

    void close() override {
        std::erase_if(network_->listeners, [this](const auto& entry) { return entry.second == state_; });
        state_->closed = true;
        for (const auto& wire : state_->pending) wire->reset();
        state_->pending.clear();
        state_->changed.notify();
    }

    [[nodiscard]] std::uint16_t port() const override { return port_; }

private:
    std::shared_ptr<NetworkState> network_;
    std::shared_ptr<ListenerState> state_;
    std::uint16_t port_;
};

// The network as one machine sees it.
class Host final : public net::Network {
public:
    Host(std::shared_ptr<NetworkState> network, std::string machine)
        : network_(std::move(network)), machine_(std::move(machine)) {}

    Result<std::unique_ptr<net::Listener>> listen_tcp(const std::string& address, std::uint16_t port) override {
        return listen(address, port, false);
    }
    Result<std::unique_ptr<net::Listener>> listen_tls(const std::string& address, std::uint16_t port,
                                                      std::shared_ptr<net::TlsServer>) override {
        return listen(address, port, true);
    }
    Result<std::unique_ptr<net::Listener>> listen_unix(const std::filesystem::path& path, unsigned) override {
        if (const auto valid = net::unix_address(path); !valid) return fail(valid.error());
        // Whoever listened there before keeps its connections and gets no new ones.
        network_->listeners.erase({machine_, path.native()});
        return open(path.native(), 0, false);
    }
    Result<std::unique_ptr<net::Listener>> adopt_unix(int descriptor) override {
        ::close(descriptor);
        return fail(Errc::unsupported, "a simulated network has no descriptors");
    }

    Task<Result<std::unique_ptr<net::Stream>>> connect_tcp(std::string host, std::uint16_t port) override {
        return connect(network_, machine_, std::move(host), port, false);
    }
    Task<Result<std::unique_ptr<net::Stream>>> connect_tls(std::string host, std::uint16_t port,
                                                           std::shared_ptr<net::TlsClient>) override {
        return connect(network_, machine_, std::move(host), port, true);
    }
    Task<Result<std::unique_ptr<net::Stream>>> connect_unix(std::filesystem::path path) override {
        return connect_local(network_, machine_, std::move(path));
    }

private:
    Result<std::unique_ptr<net::Listener>> listen(const std::string& address, std::uint16_t port, bool tls) {
        if (!is_this_machine(address)) network_->machine_of_name[address] = machine_;
        while (port == 0) {
            const auto candidate = network_->next_port++;
            if (candidate != 0 && !network_->listeners.contains({machine_, fmt::to_string(candidate)}))
                port = candidate;
        }
        if (network_->listeners.contains({machine_, fmt::to_string(port)}))
            return fail(Errc::conflict,
                        fmt::format("listening on {}:{}: somebody listens there already", machine_, port));
        return open(fmt::to_string(port), port, tls);
    }

    Result<std::unique_ptr<net::Listener>> open(const std::string& where, std::uint16_t port, bool tls) {
        auto state = std::make_shared<ListenerState>(network_->executor);
        state->machine = machine_;
        state->tls = tls;
        network_->listeners[{machine_, where}] = state;
        return std::make_unique<SimListener>(network_, std::move(state), port);
    }

    using Connected = Result<std::unique_ptr<net::Stream>>;

    // Joins a new wire's far end to a listener, and gives the near one.
    static Connected attach(const std::shared_ptr<NetworkState>& network, const std::string& from,
                            const std::string& machine, const std::string& where, bool tls, net::Peer peer) {
        const auto found = network->listeners.find({machine, where});
        if (found == network->listeners.end() || found->second->pending.size() >= most_pending)
            return fail(Errc::unreachable, fmt::format("connecting to {} on {}: connection refused", where, machine));
        auto wire = std::make_shared<Wire>(network, from, machine);
        wire->tls_mismatch = found->second->tls != tls;
        network->wires.push_back(wire);
        found->second->pending.push_back(wire);
        found->second->changed.notify();
        return make_sim_stream(std::move(wire), 0, std::move(peer));
    }

    static Task<Connected> connect(std::shared_ptr<NetworkState> network, std::string from, std::string host,
                                   std::uint16_t port, bool tls) {
        const auto named = network->machine_of_name.find(host);
        const auto machine = is_this_machine(host)                     ? from
                             : named != network->machine_of_name.end() ? named->second
                                                                       : host;
        co_await network->clock.sleep(network->delay(from, machine) + network->delay(machine, from));
        if (network->partitioned(from, machine)) {
            co_await network->clock.sleep(connect_limit);
            co_return fail(Errc::timeout, fmt::format("connecting to {}:{}: no answer", host, port));
        }
        auto stream =
            attach(network, from, machine, fmt::to_string(port), tls, {.address = fmt::format("{}:{}", machine, port)});
        if (!stream) co_return stream;
        if (auto shaken = tls ? co_await (*stream)->handshake() : Result<>{}; !shaken) co_return fail(shaken.error());
        co_return stream;
    }

    static Task<Connected> connect_local(std::shared_ptr<NetworkState> network, std::string machine,
                                         std::filesystem::path path) {
        if (const auto valid = net::unix_address(path); !valid) co_return fail(valid.error());
        co_return attach(network, machine, machine, path.native(), false,
                         {.address = "unix", .process = ::getpid(), .user = ::getuid()});
    }

    std::shared_ptr<NetworkState> network_;
    std::string machine_;
};
}  // namespace

SimNetwork::SimNetwork(Executor executor, SimClock& clock, Random& random)
    : state_(std::make_shared<NetworkState>(std::move(executor), clock, random)) {}

SimNetwork::~SimNetwork() {
    state_->gone = true;
    // Connections that nobody accepted point back to the state.
    for (const auto& [where, listener] : state_->listeners) listener->pending.clear();
    state_->listeners.clear();
}

net::Network& SimNetwork::host(const std::string& machine) {
    auto& view = hosts_[machine];
    if (!view) view = std::make_unique<Host>(state_, machine);
    return *view;
}

void SimNetwork::add_name(const std::string& name, const std::string& machine) {
    state_->machine_of_name[name] = machine;
}

void SimNetwork::set_latency(Duration least, Duration jitter) {
    state_->latency = least;
    state_->jitter = jitter;
}

void SimNetwork::partition(const std::string& machine, const std::string& other) {
    state_->partitions.insert(std::minmax(machine, other));
}

void SimNetwork::heal(const std::string& machine, const std::string& other) {
    state_->partitions.erase(std::minmax(machine, other));
    for (const auto& wire : state_->wires_between(machine, other)) wire->deliver();
}

void SimNetwork::reset(const std::string& machine, const std::string& other) {
    for (const auto& wire : state_->wires_between(machine, other)) wire->reset();
}

void SimNetwork::crash(const std::string& machine) {
    std::erase_if(state_->listeners, [&](const auto& entry) {
        const auto& listener = entry.second;
        if (listener->machine != machine) return false;
        listener->closed = true;
        listener->pending.clear();
        listener->changed.notify();
        return true;
    });
    for (const auto& weak : std::vector(state_->wires)) {
        const auto wire = weak.lock();
        if (wire && (wire->machines[0] == machine || wire->machines[1] == machine)) wire->reset();
    }
}

std::size_t SimNetwork::open_connections() const {
    return static_cast<std::size_t>(std::ranges::count_if(state_->wires, [](const auto& weak) {
        const auto wire = weak.lock();
        return wire && wire->is_open();
    }));
}

Result<std::unique_ptr<net::Listener>> SimNetwork::listen_tcp(const std::string& address, std::uint16_t port) {
    return host("localhost").listen_tcp(address, port);
}
Result<std::unique_ptr<net::Listener>> SimNetwork::listen_tls(const std::string& address, std::uint16_t port,
                                                              std::shared_ptr<net::TlsServer> tls) {
    return host("localhost").listen_tls(address, port, std::move(tls));
}
Result<std::unique_ptr<net::Listener>> SimNetwork::listen_unix(const std::filesystem::path& path, unsigned mode) {
    return host("localhost").listen_unix(path, mode);
}
Result<std::unique_ptr<net::Listener>> SimNetwork::adopt_unix(int descriptor) {
    return host("localhost").adopt_unix(descriptor);
}
Task<Result<std::unique_ptr<net::Stream>>> SimNetwork::connect_tcp(std::string host_name, std::uint16_t port) {
    return host("localhost").connect_tcp(std::move(host_name), port);
}
Task<Result<std::unique_ptr<net::Stream>>> SimNetwork::connect_tls(std::string host_name, std::uint16_t port,
                                                                   std::shared_ptr<net::TlsClient> tls) {
    return host("localhost").connect_tls(std::move(host_name), port, std::move(tls));
}
Task<Result<std::unique_ptr<net::Stream>>> SimNetwork::connect_unix(std::filesystem::path path) {
    return host("localhost").connect_unix(std::move(path));
}

}  // namespace skerry::sim
