#include "agent/metrics/resources.hpp"

#include "base/encoding.hpp"
#include "model/twin.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>

namespace skerry::agent {

namespace json = boost::json;

namespace {

constexpr std::size_t most_disks = 64;
constexpr std::size_t most_modules = 1'000;

const json::value* member(const json::object& object, std::string_view name) { return object.if_contains(name); }

std::optional<double> number(const json::value* value) {
    if (value == nullptr || !value->is_number()) return std::nullopt;
    return value->to_number<double>();
}

std::optional<double> number(const json::object& object, std::string_view name) { return number(member(object, name)); }

std::string text(const json::object& object, std::string_view name) {
    const auto* value = member(object, name);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

const json::object& object_in(const json::object& object, std::string_view name) {
    static const json::object none;
    const auto* value = member(object, name);
    return value != nullptr && value->is_object() ? value->get_object() : none;
}

void read_memory(const json::object& statistics, ModuleUse& use) {
    const auto& memory = object_in(statistics, "memory_stats");
    use.memory_limit = number(memory, "limit");
    const auto usage = number(memory, "usage");
    if (!usage) return;
    const auto& parts = object_in(memory, "stats");
    double cached = 0;
    for (const auto* name : {"inactive_file", "total_inactive_file", "cache"})
        if (const auto value = number(parts, name)) {
            cached = *value;
            break;
        }
    use.memory = std::max(0.0, *usage - cached);
}

void read_network(const json::object& statistics, ModuleUse& use) {
    const auto& networks = object_in(statistics, "networks");
    if (networks.empty()) return;
    use.network_in = use.network_out = 0;
    for (const auto& network : networks) {
        const auto* counted = network.value().if_object();
        if (counted == nullptr) continue;
        *use.network_in += number(*counted, "rx_bytes").value_or(0);
        *use.network_out += number(*counted, "tx_bytes").value_or(0);
    }
}

void read_disk(const json::object& statistics, ModuleUse& use) {
    const auto* list = member(object_in(statistics, "blkio_stats"), "io_service_bytes_recursive");
    if (list == nullptr || !list->is_array()) return;
    use.disk_read = use.disk_write = 0;
    for (const auto& value : list->get_array()) {
        const auto* entry = value.if_object();
        if (entry == nullptr) continue;
        const auto operation = text(*entry, "op");
        if (equals_ignoring_case(operation, "read")) *use.disk_read += number(*entry, "value").value_or(0);
        if (equals_ignoring_case(operation, "write")) *use.disk_write += number(*entry, "value").value_or(0);
    }
}

ModuleUse module_use(const json::object& statistics) {
    ModuleUse use;
    use.name = text(statistics, "name");
    if (use.name.starts_with('/')) use.name.erase(0, 1);
    const auto& cpu = object_in(statistics, "cpu_stats");
    use.cpu = number(object_in(cpu, "cpu_usage"), "total_usage");
    use.system_cpu = number(cpu, "system_cpu_usage");
    use.processes = number(object_in(statistics, "pids_stats"), "current");
    read_memory(statistics, use);
    read_network(statistics, use);
    read_disk(statistics, use);
    return use;
}

DiskUse disk_use(const json::object& disk) {
    return {.name = text(disk, "name"),
            .file_system = text(disk, "file_system"),
            .file_type = text(disk, "file_type"),
            .available = number(disk, "available_space"),
            .total = number(disk, "total_space")};
}

}  // namespace

Result<Resources> parse_resources(const json::object& answer) {
    Resources resources{.host_uptime = number(answer, "host_uptime"),
                        .daemon_uptime = number(answer, "process_uptime"),
                        .used_cpu = number(answer, "used_cpu"),
                        .used_memory = number(answer, "used_ram"),
                        .total_memory = number(answer, "total_ram"),
                        .disks = {},
                        .modules = {}};
    if (const auto* disks = member(answer, "disks"); disks != nullptr && disks->is_array())
        for (const auto& disk : disks->get_array())
            if (disk.is_object() && resources.disks.size() < most_disks)
                resources.disks.push_back(disk_use(disk.get_object()));
    // A list within a text; our parser takes objects.
    const auto statistics = text(answer, "docker_stats");
    if (statistics.empty()) return resources;
    const auto wrapped = model::parse_object("{\"all\":" + statistics + "}");
    const auto* all = wrapped ? member(*wrapped, "all") : nullptr;
    if (all == nullptr || !all->is_array())
        return fail(Errc::malformed, "the daemon's docker_stats are no JSON list of objects");
    for (const auto& one : all->get_array())
        if (one.is_object() && resources.modules.size() < most_modules)
            if (auto use = module_use(one.get_object()); !use.name.empty()) resources.modules.push_back(std::move(use));
    return resources;
}

}  // namespace skerry::agent
