// The simulated temperature sensor: sends a reading now and then, keeps it until the hub has acknowledged it, and sends
// it again, with the same id, when the connection was lost.
//
// Promises: a message's id goes to the ledger ("sent <id>") when the hub has acknowledged it. No reading is lost once
//           taken, unless the process ends.
// Bounds:   1,000 unacknowledged readings; then sampling waits.
#pragma once

#include "base/event.hpp"
#include "common/ledger.hpp"
#include "sdk/module_client.hpp"

namespace skerry::modules {

// Samples until `stop`; then waits for outstanding acknowledgements, 5 s at most, and closes the client.
[[nodiscard]] Task<> run_sensor(Platform platform, sdk::ModuleClient& client, Ledger& ledger, Event& stop);

}  // namespace skerry::modules
