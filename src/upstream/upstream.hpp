// The hub's way to the cloud (or to a parent edge), over MQTT: implements hub::CloudLink.
//
// Promises: one connection per identity, opened on first use, on behalf of that identity with the hub's own token;
//           while the cloud is away only the hub itself keeps knocking. Reconnects by itself.
// Bounds:   `most_connections` connections; beyond that the one idle for longest is closed, and when none is idle the
//           call fails with Errc::full. Idle ones are closed after `idle_limit`.
// Threads:  the loop's.
#pragma once

#include "hub/cloud_link.hpp"

namespace skerry::upstream {

[[nodiscard]] Result<std::unique_ptr<hub::CloudLink>> make_link(hub::CloudLinkConfig config,
                                                                hub::CloudListener& listener);

}  // namespace skerry::upstream
