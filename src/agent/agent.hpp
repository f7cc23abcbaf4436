// The role `skerry agent`: the module $edgeAgent. Takes the deployment from its twin and has the daemon do it.
#pragma once

#include "base/event.hpp"
#include "base/task.hpp"
#include "daemonapi/workload_client.hpp"
#include "platform/platform.hpp"

#include <string>

namespace skerry::agent {

// Runs until `stop` is set; the modules run on. Everything it needs to know is in `environment`, as the daemon sets it
// (agent-and-daemon.md 5.6). The exit status: 0, or 1 with a logged reason when the environment can't be used.
// `version` is what is reported as the agent's; empty: the daemon's.
[[nodiscard]] Task<int> run_agent(daemonapi::Environment environment, Platform platform, Event& stop,
                                  std::string version = {});

}  // namespace skerry::agent
