// What the daemon says of the machine's and the modules' use of it (agent-and-daemon.md 5.3.3), taken apart.
//
// Promise: what is missing, or is no number, is absent; one module that can't be read hides no other.
// Bounds:  64 disks, 1,000 modules; what is beyond is left out.
#pragma once

#include "base/result.hpp"

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <vector>

namespace skerry::agent {

struct DiskUse {
    std::string name;
    std::string file_system;
    std::string file_type;
    std::optional<double> available;
    std::optional<double> total;
};

// Docker's statistics of a container.
struct ModuleUse {
    std::string name;
    std::optional<double> cpu;         // nanoseconds of this module,
    std::optional<double> system_cpu;  // and of the whole machine, both since some start
    std::optional<double> memory;      // without what is only cached
    std::optional<double> memory_limit;
    std::optional<double> processes;
    std::optional<double> network_in;
    std::optional<double> network_out;
    std::optional<double> disk_read;
    std::optional<double> disk_write;
};

struct Resources {
    std::optional<double> host_uptime;
    std::optional<double> daemon_uptime;
    std::optional<double> used_cpu;  // percent
    std::optional<double> used_memory;
    std::optional<double> total_memory;
    std::vector<DiskUse> disks;
    std::vector<ModuleUse> modules;
};

// Of the answer to GET /systeminfo/resources. Errc::malformed: the statistics are no JSON list.
[[nodiscard]] Result<Resources> parse_resources(const boost::json::object& answer);

}  // namespace skerry::agent
