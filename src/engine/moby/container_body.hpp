// From a module's specification to the body of POST /containers/create: createOptions as they are, and what the runtime
// adds (agent-and-daemon.md 5.7 and 9).
//
// Promises: members of createOptions that are not named here are passed on as they are, known or not. Names are found
//           whatever their case, as the engine does.
#pragma once

#include "base/result.hpp"
#include "model/module.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::engine::moby {

// Of the engine's json-file logs, which have none of their own.
struct LogLimits {
    std::string max_size{"10m"};  // of a file: bytes, or with k, m, g
    std::int64_t max_files{3};
    bool operator==(const LogLimits&) const = default;
};

struct Surroundings {
    std::string image;                 // the reference to run. Empty: the specification's
    std::string socket_folder;         // on the host; seen as /var/run/iotedge. Empty: none
    std::string storage;               // on the host; seen as inner_storage. Empty: none
    std::string network;               // joined unless createOptions choose another
    std::vector<std::string> aliases;  // of the module there, beside its name
    bool may_be_elevated{true};        // allow_elevated_docker_permissions
    std::optional<LogLimits> limits;   // of a log that createOptions say nothing about
};

// Where agent and hub see the folder that outlives their containers.
inline constexpr std::string_view inner_storage = "/var/lib/skerry";

struct ContainerBody {
    boost::json::object json;
    bool chooses_log{false};            // createOptions have a LogConfig
    std::vector<std::string> warnings;  // what of createOptions was left out, and why
};

// Errc::malformed names the option whose shape is wrong, or that is there twice: the engine takes names whatever their
// case, so that of "Privileged" and "privileged" it would be the other one that counts.
[[nodiscard]] Result<ContainerBody> make_container_body(const model::ModuleSpec& spec,
                                                        const Surroundings& surroundings);

// "m", "m:latest": the reference with a tag, without which the engine would pull all there are. A digest counts as one.
[[nodiscard]] std::string with_tag(std::string_view image);

// A container's name: letters, digits and _ . - with a letter or digit first, 2 characters or more.
[[nodiscard]] Result<> check_container_name(std::string_view name);

}  // namespace skerry::engine::moby
