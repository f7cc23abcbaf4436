// What the machine is and how busy it is, for GET /systeminfo and /systeminfo/resources
// (agent-and-daemon.md 5.3.2, 5.3.3).
#pragma once

#include "base/clock.hpp"
#include "storage/files.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <filesystem>
#include <string>
#include <string_view>

namespace skerry::daemon {

[[nodiscard]] boost::json::object describe_system(storage::Files& files, const boost::json::object& engine);
// `statistics` as the engine gives them; sent as a text, as clients expect.
[[nodiscard]] boost::json::object describe_resources(storage::Files& files, const std::filesystem::path& home,
                                                     Duration process_uptime, const boost::json::array& statistics);

// In bytes: used_ram, total_ram, used_swap, total_swap.
[[nodiscard]] boost::json::object describe_memory(storage::Files& files);
// The one that `home` is on; none when it can't be asked.
[[nodiscard]] boost::json::array describe_disks(storage::Files& files, const std::filesystem::path& home);

// The value of KEY=value or KEY="value" in /etc/os-release; empty when absent. Pure.
[[nodiscard]] std::string os_release_value(std::string_view text, std::string_view key);
// A line "Name:   123 kB" of /proc/meminfo in bytes; 0 when absent. Pure.
[[nodiscard]] std::uint64_t meminfo_bytes(std::string_view text, std::string_view name);

}  // namespace skerry::daemon
