// The subcommands that start roles: daemon, agent, hub and cloud serve.
#pragma once

#include "cli/invocation.hpp"

namespace CLI {
class App;
}

void add_role_commands(CLI::App& app, skerry::cli::Invocation& invocation);
