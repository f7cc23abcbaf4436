// `skerry up` on the command line.
#pragma once

#include "cli/invocation.hpp"

namespace CLI {
class App;
}

namespace skerry::cli {

void add_up_command(CLI::App& app, Invocation& invocation);

}  // namespace skerry::cli
