// What the commands that talk to the daemon have in common.
#pragma once

#include "base/result.hpp"
#include "daemonapi/management_client.hpp"
#include "platform/platform.hpp"

#include <memory>
#include <string>

namespace CLI {
class App;
}

namespace skerry::cli {

inline constexpr const char* default_management_host = "unix:///var/run/iotedge/mgmt.sock";

// -H, --host, IOTEDGE_HOST
void add_host(CLI::App& command, std::string& host);
[[nodiscard]] Result<std::unique_ptr<daemonapi::ManagementClient>> connect(const Platform& platform,
                                                                           const std::string& host);
// To standard error; the exit status.
int report(const Error& error);

}  // namespace skerry::cli
