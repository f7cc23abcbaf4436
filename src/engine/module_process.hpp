// The module's side of a start: what happens between the shim's fork and the module's program.
#pragma once

#include "engine/launch.hpp"

#include <string>

namespace skerry::engine {

struct ModulePipes {
    int gate{-1};    // read: a byte says "your pid is on disk, go on"; its end says "the shim is gone"
    int report{-1};  // write: "n<note>\n" per shortcoming, "e<why>\n" when the program can't be run; closed by the exec
    int out{-1};
    int err{-1};
};

// Own session, control groups, mounts, working folder, then the program. Never returns.
[[noreturn]] void become_module(Launch launch, const ModulePipes& pipes);

// Gives this process a mount namespace with the module's socket folder at /var/run/iotedge and its binds. Returns what
// could not be done, one text per bind; `sockets_placed` says whether the socket folder lies there now.
[[nodiscard]] std::vector<std::string> prepare_mounts(const Launch& launch, bool& sockets_placed);

// Where /var/run/iotedge could not be had: the workload and management URIs in the environment name the real folder.
void redirect_sockets(std::vector<std::string>& environment, const std::string& socket_folder);

}  // namespace skerry::engine
