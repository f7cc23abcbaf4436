// Direct methods of $edgeAgent (agent-and-daemon.md 4.1): ping, RestartModule. Names compare without case.
#pragma once

#include "agent/runtime.hpp"
#include "base/task.hpp"
#include "iothub/device_client.hpp"

#include <functional>
#include <string>

namespace skerry::agent {

// 200 done; 400 for what is asked wrongly (unknown method, no payload); 500 for what could not be done. The payload is
// JSON. `knows` tells whether the daemon has a module of that name.
[[nodiscard]] Task<iothub::MethodResponse> answer_method(iothub::MethodRequest request, ModuleRuntime& runtime,
                                                         std::function<bool(const std::string& module)> knows);

}  // namespace skerry::agent
