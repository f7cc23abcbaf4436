#include "cli/management.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <fmt/core.h>

#include <cstdio>

namespace skerry::cli {

void add_host(CLI::App& command, std::string& host) {
    command.add_option("-H,--host", host, "the daemon's management socket")
        ->envname("IOTEDGE_HOST")
        ->capture_default_str();
}

Result<std::unique_ptr<daemonapi::ManagementClient>> connect(const Platform& platform, const std::string& host) {
    auto client = daemonapi::ManagementClient::create(platform.network, platform.clock, host);
    if (!client) return fail(client.error().while_doing("--host " + host));
    return client;
}

int report(const Error& error) {
    fmt::print(stderr, "skerry: {}\n", error.text);
    return 1;
}

}  // namespace skerry::cli
