// Socket addresses as values: IPv4, IPv6 and unix paths.
#pragma once

#include "base/result.hpp"

#include <sys/socket.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace skerry::net {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size{sizeof(sockaddr_storage)};

    [[nodiscard]] int family() const { return storage.ss_family; }
    [[nodiscard]] const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage); }
    [[nodiscard]] sockaddr* raw() { return reinterpret_cast<sockaddr*>(&storage); }
};

// A numeric address, IPv6 with or without brackets. Errc::malformed for anything else, names included.
[[nodiscard]] Result<SocketAddress> parse_address(const std::string& text, std::uint16_t port);

// Errc::malformed, with the limit in the text, for a path of 108 bytes or more.
[[nodiscard]] Result<SocketAddress> unix_address(const std::filesystem::path& path);

// "127.0.0.1:80", "[::1]:80", "unix"; an IPv4 peer of a dual-stack socket reads as IPv4.
[[nodiscard]] std::string text_of(const SocketAddress& address);
[[nodiscard]] std::uint16_t port_of(const SocketAddress& address);

}  // namespace skerry::net
