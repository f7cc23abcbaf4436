// Listening sockets by the URIs of the configuration: unix:///path, or fd://name handed down by systemd.
#pragma once

#include "net/network.hpp"
#include "platform/platform.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace skerry::daemon {

// What systemd says in LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES.
struct HandedDown {
    std::string process;
    std::string count;
    std::string names;
};
[[nodiscard]] HandedDown handed_down();

// The descriptor of that name: "aziot-edged.mgmt.socket", with or without ".socket", or a number counted from 0.
// Errc::not_found when systemd handed down none.
[[nodiscard]] Result<int> find_handed_down(const HandedDown& given, pid_t self, std::string_view name);

[[nodiscard]] Result<std::unique_ptr<net::Listener>> listen_on(Platform platform, std::string_view uri, unsigned mode);

}  // namespace skerry::daemon
