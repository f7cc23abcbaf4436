// The subcommands that start roles: daemon, agent and hub; and what `cloud serve` starts.
#pragma once

#include "cli/cloud_commands.hpp"
#include "cli/invocation.hpp"

namespace CLI {
class App;
}

void add_role_commands(CLI::App& app, skerry::cli::Invocation& invocation);

[[nodiscard]] skerry::Task<int> serve_cloud(skerry::cli::CloudServeArguments arguments, skerry::Platform platform,
                                            skerry::Event& stop);
