// The system's sockets on the loop's reactor.
#include "net/network.hpp"

#include "net/address.hpp"
#include "net/descriptor.hpp"
#include "net/resolver.hpp"
#include "net/socket_listener.hpp"
#include "net/socket_stream.hpp"
#include "net/tls_stream.hpp"

#include <fmt/format.h>

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

namespace skerry::net {

using namespace std::chrono_literals;

namespace {
constexpr int backlog = 1024;

Error listen_error(const std::string& where, int failed) {
    if (failed == EADDRINUSE)
        return Error{Errc::conflict, fmt::format("listening on {}: another process listens there already", where)};
    if (failed == EACCES)
        return Error{Errc::unauthorized,
                     fmt::format("listening on {}: not allowed; a port below 1024 needs CAP_NET_BIND_SERVICE", where)};
    return system_error("listening on " + where, failed);
}

Result<Descriptor> open_socket(const Executor& executor, int family) {
    const int number = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (number < 0) return fail(system_error("opening a socket", errno));
    return Descriptor::adopt(executor, number);
}

std::uint16_t bound_port(int descriptor) {
    SocketAddress address;
    return ::getsockname(descriptor, address.raw(), &address.size) == 0 ? port_of(address) : std::uint16_t{0};
}

Result<Descriptor> listen_on(const Executor& executor, const SocketAddress& address) {
    auto opened = open_socket(executor, address.family());
    if (!opened) return opened;
    const int on = 1;
    ::setsockopt(opened->number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address.family() == AF_INET6) {
        const int only_v6 = 0;
        ::setsockopt(opened->number(), IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6);
    }
    if (::bind(opened->number(), address.raw(), address.size) != 0 || ::listen(opened->number(), backlog) != 0)
        return fail(listen_error(text_of(address), errno));
    return opened;
}

// The file of a unix socket that somebody left behind, or still holds.
Result<> remove_old_socket(const std::filesystem::path& path) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) return {};
    if (!S_ISSOCK(status.st_mode))
        return fail(Errc::conflict,
                    fmt::format("'{}' is in the way of a socket and is not one: remove it", path.native()));
    if (::unlink(path.c_str()) != 0) return fail(system_error("removing the old socket " + path.native(), errno));
    return {};
}

class SystemNetwork final : public Network {
public:
    explicit SystemNetwork(Executor executor) : executor_(executor), resolver_(std::move(executor)) {}

    Result<std::unique_ptr<Listener>> listen_tcp(const std::string& address, std::uint16_t port) override {
        return listen_tls(address, port, nullptr);
    }

    Result<std::unique_ptr<Listener>> listen_tls(const std::string& address, std::uint16_t port,
                                                 std::shared_ptr<TlsServer> tls) override {
        auto listening = listen_at(address, port);
        if (!listening) return fail(listening.error());
        const auto taken = bound_port(listening->number());
        return make_socket_listener(std::move(*listening), taken, std::move(tls));
    }

    Result<std::unique_ptr<Listener>> listen_unix(const std::filesystem::path& path, unsigned mode) override;
    Result<std::unique_ptr<Listener>> adopt_unix(int descriptor) override;

    Task<Result<std::unique_ptr<Stream>>> connect_tcp(std::string host, std::uint16_t port) override {
        auto connected = co_await connect_any(std::move(host), port);
        if (!connected) co_return fail(connected.error());
        auto peer = peer_of(connected->number());
        co_return make_socket_stream(std::move(*connected), std::move(peer));
    }

    Task<Result<std::unique_ptr<Stream>>> connect_tls(std::string host, std::uint16_t port,
                                                      std::shared_ptr<TlsClient> tls) override {
        auto connected = co_await connect_any(host, port);
        if (!connected) co_return fail(connected.error());
        auto peer = peer_of(connected->number());
        auto stream = make_tls_client_stream(std::move(*connected), std::move(peer), std::move(tls), host);
        if (auto shaken = co_await stream->handshake(); !shaken)
            co_return fail(shaken.error().while_doing(fmt::format("connecting to {}:{}", host, port)));
        co_return stream;
    }

    Task<Result<std::unique_ptr<Stream>>> connect_unix(std::filesystem::path path) override;

private:
    Result<Descriptor> listen_at(const std::string& address, std::uint16_t port) {
        const auto chosen = parse_address(address.empty() ? "::" : address, port);
        if (!chosen) return fail(chosen.error().while_doing("listening"));
        auto listening = listen_on(executor_, *chosen);
        if (listening || !address.empty()) return listening;
        // A machine without IPv6.
        const auto any_v4 = parse_address("0.0.0.0", port);
        return listening.error().code == Errc::conflict ? std::move(listening) : listen_on(executor_, *any_v4);
    }

    Task<Result<Descriptor>> connect_any(std::string host, std::uint16_t port);
    Task<Result<Descriptor>> connect_one(SocketAddress address);

    Executor executor_;
    Resolver resolver_;
};

Result<std::unique_ptr<Listener>> SystemNetwork::listen_unix(const std::filesystem::path& path, unsigned mode) {
    const auto address = unix_address(path);
    if (!address) return fail(address.error());
    if (auto removed = remove_old_socket(path); !removed) return fail(removed.error());
    auto opened = open_socket(executor_, AF_UNIX);
    if (!opened) return fail(opened.error());
    // Set before bind as well: the file must at no moment allow more than `mode`.
    ::fchmod(opened->number(), mode);
    if (::bind(opened->number(), address->raw(), address->size) != 0)
        return fail(system_error("listening on " + path.native(), errno));
    if (::chmod(path.c_str(), mode) != 0 || ::listen(opened->number(), backlog) != 0)
        return fail(system_error("listening on " + path.native(), errno));
    return make_socket_listener(std::move(*opened), 0, nullptr);
}

Result<std::unique_ptr<Listener>> SystemNetwork::adopt_unix(int descriptor) {
    auto adopted = Descriptor::adopt(executor_, descriptor);
    if (!adopted) return fail(adopted.error());
    int listening = 0;
    int family = 0;
    socklen_t size = sizeof listening;
    const auto known = ::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 &&
                       ::getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0;
    if (!known || listening == 0 || family != AF_UNIX)
        return fail(Errc::malformed, fmt::format("descriptor {} is not a listening unix socket", descriptor));
    return make_socket_listener(std::move(*adopted), 0, nullptr);
}

Task<Result<Descriptor>> SystemNetwork::connect_one(SocketAddress address) {
    auto opened = open_socket(executor_, address.family());
    if (!opened) co_return fail(opened.error());
    tune_tcp(opened->number());
    if (::connect(opened->number(), address.raw(), address.size) == 0) co_return std::move(*opened);
    if (errno != EINPROGRESS) co_return fail(system_error(text_of(address), errno));
    if (auto ready = co_await opened->wait(Descriptor::Until::writable); !ready) co_return fail(ready.error());
    int failed = 0;
    socklen_t size = sizeof failed;
    ::getsockopt(opened->number(), SOL_SOCKET, SO_ERROR, &failed, &size);
    if (failed != 0) co_return fail(system_error(text_of(address), failed));
    co_return std::move(*opened);
}

Task<Result<Descriptor>> SystemNetwork::connect_any(std::string host, std::uint16_t port) {
    auto addresses = co_await resolver_.resolve(host, port);
    if (!addresses) co_return fail(addresses.error());
    Error last{Errc::unreachable, "no address"};
    for (const auto& address : *addresses) {
        auto connected = co_await connect_one(address);
        if (connected) co_return connected;
        last = std::move(connected.error());
    }
    if (last.code != Errc::timeout && last.code != Errc::full) last.code = Errc::unreachable;
    co_return fail(last.while_doing(fmt::format("connecting to {}:{}", host, port)));
}

Task<Result<std::unique_ptr<Stream>>> SystemNetwork::connect_unix(std::filesystem::path path) {
    const auto address = unix_address(path);
    if (!address) co_return fail(address.error());
    auto opened = open_socket(executor_, AF_UNIX);
    if (!opened) co_return fail(opened.error());
    // A unix socket whose backlog is full says so at once instead of queueing us: come back a few times.
    for (int attempt = 0; ::connect(opened->number(), address->raw(), address->size) != 0; ++attempt) {
        const int failed = errno;
        if (failed == EINTR) continue;
        if (failed != EAGAIN || attempt == 100) {
            auto error = system_error("connecting to " + path.native(), failed);
            if (error.code != Errc::unauthorized) error.code = Errc::unreachable;
            co_return fail(std::move(error));
        }
        if (auto paused = co_await opened->pause(20ms); !paused) co_return fail(paused.error());
    }
    auto peer = peer_of(opened->number());
    co_return make_socket_stream(std::move(*opened), std::move(peer));
}
}  // namespace

std::unique_ptr<Network> make_system_network(Executor executor) {
    return std::make_unique<SystemNetwork>(std::move(executor));
}

std::uint64_t allow_most_sockets() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    const auto before = std::exchange(limit.rlim_cur, limit.rlim_max);
    return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

}  // namespace skerry::net
