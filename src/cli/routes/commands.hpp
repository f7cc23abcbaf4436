// `skerry route …`: the routing language at the command line.
#pragma once

#include "cli/invocation.hpp"

namespace CLI {
class App;
}

namespace skerry::cli {

void add_route_commands(CLI::App& app, Invocation& invocation);

}  // namespace skerry::cli
