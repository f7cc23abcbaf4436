// The role: the module $edgeHub, from its environment to its end.
//
// Promises: with an existing state folder clients are served before the cloud has said a word. Stops in order within
//           two seconds after `stop`.
#pragma once

#include "base/event.hpp"
#include "daemonapi/workload_client.hpp"
#include "hub/cloud_link.hpp"
#include "platform/platform.hpp"

namespace skerry::hub {

// Runs until `stop` is set. The exit status: 0, or 1 when the hub could not start.
[[nodiscard]] Task<int> run_hub(daemonapi::Environment environment, Platform platform, CloudLinkFactory make_link,
                                Event& stop);

}  // namespace skerry::hub
