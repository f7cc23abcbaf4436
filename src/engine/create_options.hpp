// What of a module's createOptions plain processes can honour, and the names of what they can't.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "engine/bundle.hpp"
#include "engine/launch.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace skerry::engine {

struct Limits {
    std::uint64_t memory_bytes{0};  // 0: none
    std::uint64_t nano_cpus{0};     // 10^9 is one CPU
    bool operator==(const Limits&) const = default;
};

struct CreateOptions {
    std::optional<std::vector<std::string>> entrypoint;
    std::optional<std::vector<std::string>> command;
    std::map<std::string, std::string> environment;
    std::string working_folder;
    std::vector<BindMount> binds;
    Limits limits;
    std::vector<std::string> ignored;  // "HostConfig.Devices", "Healthcheck", in order of their names
};

// StopTimeout: from a module's TERM to its KILL, an hour at most (-1 means for ever); absent: the engine's usual.
[[nodiscard]] std::optional<Duration> grace_of(const boost::json::object& options);

// Errc::malformed names the option whose shape is wrong. Binds onto the socket folder are dropped without a word: the
// engine places the sockets there itself.
[[nodiscard]] Result<CreateOptions> parse_create_options(const boost::json::object& options);

// Program, arguments, environment and working folder, from the bundle, the deployment's variables and the options, each
// over the one before. Errc::malformed when there is no program.
[[nodiscard]] Result<Launch> make_launch(const Bundle& bundle, const std::map<std::string, std::string>& environment,
                                         const CreateOptions& options, storage::Files& files);

}  // namespace skerry::engine
