// Every subcommand for people, added to the program's command line.
#pragma once

#include "cli/invocation.hpp"

namespace CLI {
class App;
}

namespace skerry::cli {

void add_commands(CLI::App& app, Invocation& invocation);

}  // namespace skerry::cli
