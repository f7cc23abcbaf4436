// `skerry check`, `skerry check-list`: is this device configured as it should be?
#pragma once

#include "cli/invocation.hpp"

namespace CLI {
class App;
}

void add_check_commands(CLI::App& app, skerry::cli::Invocation& invocation);
