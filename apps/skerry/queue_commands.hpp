// `skerry queue …`: the hub's stored messages, for people. Reads only.
#pragma once

#include "cli/invocation.hpp"

namespace CLI {
class App;
}

void add_queue_commands(CLI::App& app, skerry::cli::Invocation& invocation);
