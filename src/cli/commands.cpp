#include "cli/commands.hpp"

#include "cli/daemon_commands.hpp"
#include "cli/routes/commands.hpp"
#include "cli/up/up_command.hpp"

namespace skerry::cli {

void add_commands(CLI::App& app, Invocation& invocation, ServeCloud serve_cloud) {
    add_up_command(app, invocation);
    add_daemon_commands(app, invocation);
    add_route_commands(app, invocation);
    add_cloud_commands(app, invocation, std::move(serve_cloud));
}

}  // namespace skerry::cli
