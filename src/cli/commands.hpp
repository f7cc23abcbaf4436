// Every subcommand for people, added to the program's command line.
#pragma once

#include "cli/cloud_commands.hpp"
#include "cli/invocation.hpp"

namespace CLI {
class App;
}

namespace skerry::cli {

// `invocation` outlives the parsing of `app`. `serve_cloud` starts the role: this library does not know it.
void add_commands(CLI::App& app, Invocation& invocation, ServeCloud serve_cloud);

}  // namespace skerry::cli
