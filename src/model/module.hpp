// A module as the daemon runs it: what the agent asks for, and what the engine says of it.
#pragma once

#include "base/clock.hpp"

#include <boost/json/object.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::model {

enum class PullPolicy { on_create, never };

// The daemon's ModuleSpec (agent-and-daemon.md 5.3.1).
struct ModuleSpec {
    std::string name;  // "edgeHub", "filter": without the $ of the identity
    std::string type{"docker"};
    PullPolicy pull_policy{PullPolicy::on_create};
    std::string image;
    boost::json::object create_options;
    std::optional<std::string> digest;
    std::map<std::string, std::string> env;
    boost::json::object auth;  // registry credentials, empty when none
};

enum class RuntimeState { unknown, running, stopped, failed, dead };
[[nodiscard]] std::string_view name_of(RuntimeState state);
[[nodiscard]] RuntimeState parse_runtime_state(std::string_view text);

// What a module's health check says.
enum class Health { none, starting, healthy, unhealthy };
[[nodiscard]] std::string_view name_of(Health health);
[[nodiscard]] Health parse_health(std::string_view text);

// The daemon's ModuleDetails.
struct ModuleStatus {
    std::string name;
    std::string type{"docker"};
    std::string image;
    std::string image_hash;
    boost::json::object create_options;  // labels included
    RuntimeState state{RuntimeState::unknown};
    Health health{Health::none};
    std::string description;  // why, for people: "killed by signal 9", "ignored createOptions: HostConfig.Devices"
    std::optional<WallTime> started;
    std::optional<WallTime> exited;
    std::optional<int> exit_code;  // absent: never exited, or nobody saw it
};

}  // namespace skerry::model
