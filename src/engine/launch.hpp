// What the engine tells a shim to start. It travels in memory (a memfd), never through a file or an argument: the
// environment holds secrets.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::engine {

struct BindMount {
    std::string source;
    std::string target;
    bool read_only{false};
    bool operator==(const BindMount&) const = default;
};

struct Launch {
    std::string folder;                    // the module's: run, lock, log.0, log.1
    std::string working_folder;            // absolute
    std::vector<std::string> arguments;    // the first is an absolute path, or a name to look up in the module's PATH
    std::vector<std::string> environment;  // "K=V"
    std::string socket_folder;             // to be seen as /var/run/iotedge; empty: none
    std::vector<BindMount> binds;
    std::vector<std::string> cgroup_procs;  // files that the module's first process writes itself into
    std::vector<std::string> sockets;       // paths of the listening sockets that the shim holds, in descriptor order
    std::vector<std::string> notes;         // what the module's status is to say
    std::uint64_t log_bytes{0};
    bool operator==(const Launch&) const = default;
};

// The shim's descriptors.
inline constexpr int launch_descriptor = 3;
inline constexpr int answer_descriptor = 4;
inline constexpr int first_socket_descriptor = 5;

// The folder where every module sees its sockets.
inline constexpr std::string_view inner_socket_folder = "/var/run/iotedge";

[[nodiscard]] std::string encode(const Launch& launch);
[[nodiscard]] Result<Launch> decode_launch(std::string_view bytes);

}  // namespace skerry::engine
