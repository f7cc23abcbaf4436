// What the machine is and how busy it is, for GET /systeminfo and /systeminfo/resources
// (agent-and-daemon.md 5.3.2, 5.3.3).
#pragma once

#include "base/clock.hpp"
#include "daemon/cpu_use.hpp"
#include "storage/files.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <filesystem>
#include <string>
#include <string_view>

namespace skerry::daemon {

[[nodiscard]] boost::json::object describe_system(storage::Files& files, const boost::json::object& engine);
// Adds the keys of a TOML file that the owner of the device has written about it; none replaces one that is there.
[[nodiscard]] Result<> add_info(storage::Files& files, const std::filesystem::path& file, boost::json::object& system);

// `processors`: used_cpu is of the time since it was asked last; -1 when that can't be said. `statistics` as the engine
// gives them; sent as a text, as clients expect.
[[nodiscard]] boost::json::object describe_resources(storage::Files& files, const std::filesystem::path& home,
                                                     Duration process_uptime, CpuMeter& processors,
                                                     const boost::json::array& statistics);

// In bytes: used_ram, total_ram, used_swap, total_swap.
[[nodiscard]] boost::json::object describe_memory(storage::Files& files);

// The value of KEY=value or KEY="value" in /etc/os-release; empty when absent. Pure.
[[nodiscard]] std::string os_release_value(std::string_view text, std::string_view key);
// A line "Name:   123 kB" of /proc/meminfo in bytes; 0 when absent. Pure.
[[nodiscard]] std::uint64_t meminfo_bytes(std::string_view text, std::string_view name);

}  // namespace skerry::daemon
