// `skerry support-bundle`: the daemon's archive into a file, or to standard output.
#pragma once

#include "cli/invocation.hpp"

namespace CLI {
class App;
}

namespace skerry::cli {

// `invocation` outlives the parsing of `app`.
void add_support_bundle(CLI::App& app, Invocation& invocation);

}  // namespace skerry::cli
