// The JSON shapes of the management API, written by the daemon and read by the agent and the command line, and the
// other way round (agent-and-daemon.md 5.3).
//
// Promises: what parse_… accepts is valid: ids hold their rule, environment names are unique. An error names the member
//           and the rule, never a value that may be a secret.
#pragma once

#include "base/result.hpp"
#include "model/module.hpp"

#include <boost/json/object.hpp>

#include <string>

namespace skerry::daemonapi {

[[nodiscard]] boost::json::object to_json(const model::ModuleSpec& spec);
// Errc::malformed. At most 1,000 environment variables.
[[nodiscard]] Result<model::ModuleSpec> parse_module_spec(const boost::json::object& json);
[[nodiscard]] boost::json::object to_json(const model::ModuleStatus& status);
[[nodiscard]] Result<model::ModuleStatus> parse_module_status(const boost::json::object& json);

struct IdentityEntry {
    std::string module_id;
    std::string managed_by;
    std::string generation_id;
    std::string auth_type{"sas"};
};
[[nodiscard]] boost::json::object to_json(const IdentityEntry& entry);
[[nodiscard]] Result<IdentityEntry> parse_identity_entry(const boost::json::object& json);

}  // namespace skerry::daemonapi
