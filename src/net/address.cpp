#include "net/address.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <array>
#include <cstring>

namespace skerry::net {

namespace {
// sockaddr_storage is read and written through copies: the concrete structs are layout views of it.
template <class T>
T view_as(const SocketAddress& address) {
    T view{};
    std::memcpy(&view, &address.storage, sizeof view);
    return view;
}

template <class T>
SocketAddress from_view(const T& view) {
    SocketAddress address;
    std::memcpy(&address.storage, &view, sizeof view);
    address.size = sizeof view;
    return address;
}
}  // namespace

Result<SocketAddress> parse_address(const std::string& text, std::uint16_t port) {
    const auto bracketed = text.size() > 2 && text.front() == '[' && text.back() == ']';
    const auto bare = bracketed ? text.substr(1, text.size() - 2) : text;
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    if (!bracketed && ::inet_pton(AF_INET, bare.c_str(), &v4.sin_addr) == 1) return from_view(v4);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    if (::inet_pton(AF_INET6, bare.c_str(), &v6.sin6_addr) == 1) return from_view(v6);
    return fail(Errc::malformed, fmt::format("'{}' is not an IPv4 or IPv6 address", text));
}

Result<SocketAddress> unix_address(const std::filesystem::path& path) {
    sockaddr_un local{};
    const auto& text = path.native();
    if (text.empty()) return fail(Errc::malformed, "the path of a unix socket is empty");
    if (text.size() >= sizeof local.sun_path)
        return fail(
            Errc::malformed,
            fmt::format("the socket path '{}' has {} bytes and the system's limit is {}: choose a shorter folder", text,
                        text.size(), sizeof local.sun_path - 1));
    local.sun_family = AF_UNIX;
    std::memcpy(local.sun_path, text.data(), text.size());
    return from_view(local);
}

std::string text_of(const SocketAddress& address) {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    if (address.family() == AF_INET) {
        const auto v4 = view_as<sockaddr_in>(address);
        ::inet_ntop(AF_INET, &v4.sin_addr, buffer.data(), buffer.size());
        return fmt::format("{}:{}", buffer.data(), ntohs(v4.sin_port));
    }
    if (address.family() != AF_INET6) return "unix";
    const auto v6 = view_as<sockaddr_in6>(address);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
        ::inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], buffer.data(), buffer.size());
        return fmt::format("{}:{}", buffer.data(), ntohs(v6.sin6_port));
    }
    ::inet_ntop(AF_INET6, &v6.sin6_addr, buffer.data(), buffer.size());
    return fmt::format("[{}]:{}", buffer.data(), ntohs(v6.sin6_port));
}

std::uint16_t port_of(const SocketAddress& address) {
    if (address.family() == AF_INET) return ntohs(view_as<sockaddr_in>(address).sin_port);
    if (address.family() == AF_INET6) return ntohs(view_as<sockaddr_in6>(address).sin6_port);
    return 0;
}

}  // namespace skerry::net
