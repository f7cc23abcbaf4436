// The commands that talk to the daemon, as the existing `iotedge` has them: list, logs, restart, config.
#pragma once

#include "cli/invocation.hpp"

namespace CLI {
class App;
}

namespace skerry::cli {

// `invocation` outlives the parsing of `app`.
void add_daemon_commands(CLI::App& app, Invocation& invocation);

}  // namespace skerry::cli
