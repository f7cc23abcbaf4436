// `skerry cloud …`: serve one, and work with one that runs, through its admin socket.
#pragma once

#include "cli/invocation.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace skerry::cli {

// What `skerry cloud serve` was given. Starting the role is the program's business: this library does not know it.
struct CloudServeArguments {
    std::filesystem::path data;
    std::string listen;
    std::vector<std::string> host_names;  // never empty: the address, when none was given
    std::uint16_t mqtt_port{8883};
    std::uint16_t https_port{443};
    std::filesystem::path device_authorities;  // empty: none
    std::uint64_t events_bytes{1024ULL * 1024 * 1024};
    std::uint64_t events_days{7};
};
using ServeCloud = std::function<Task<int>(CloudServeArguments arguments, Platform platform, Event& stop)>;

// `invocation` outlives the parsing of `app`.
void add_cloud_commands(CLI::App& app, Invocation& invocation, ServeCloud serve);

}  // namespace skerry::cli
