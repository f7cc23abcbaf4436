// The filter: passes readings above a temperature on, marked as alerts.
//
// Promises: a message is acknowledged after it was dropped, or after the hub acknowledged what was passed on; the
//           ledger says which ("dropped <id>", "passed <id>") before. It keeps the message's id, so a duplicate can
//           be seen.
#pragma once

#include "base/event.hpp"
#include "common/ledger.hpp"
#include "sdk/module_client.hpp"

namespace skerry::modules {

// Filters until `stop`, then closes the client.
[[nodiscard]] Task<> run_filter(sdk::ModuleClient& client, Ledger& ledger, Event& stop);

}  // namespace skerry::modules
