#include "daemon/system_info.hpp"

#include "daemon/disks.hpp"
#include "daemon/proc_text.hpp"
#include "daemon/toml_document.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <sys/utsname.h>
#include <unistd.h>

#include <charconv>
#include <optional>

namespace skerry::daemon {

namespace {
// The first number of a text like "12345.67 890".
double first_number(std::string_view text) {
    double value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    return failed == std::errc{} ? value : 0;
}

std::string virtualized(storage::Files& files) {
    const auto cpu = proc_text(files, "/proc/cpuinfo");
    if (cpu.empty()) return "unknown";
    return cpu.find(" hypervisor") != cpu.npos || files.exists("/.dockerenv") ? "yes" : "no";
}
}  // namespace

std::string os_release_value(std::string_view text, std::string_view key) {
    while (!text.empty()) {
        const auto end = text.find('\n');
        auto line = text.substr(0, end);
        text.remove_prefix(end == text.npos ? text.size() : end + 1);
        if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != '=') continue;
        line.remove_prefix(key.size() + 1);
        if (line.size() >= 2 && line.front() == '"' && line.back() == '"') line = line.substr(1, line.size() - 2);
        return std::string(line);
    }
    return {};
}

std::uint64_t meminfo_bytes(std::string_view text, std::string_view name) {
    const auto at = text.find(std::string(name) + ':');
    if (at == text.npos) return 0;
    text.remove_prefix(at + name.size() + 1);
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    std::uint64_t kilobytes = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), kilobytes);
    return failed == std::errc{} ? kilobytes * 1024 : 0;
}

boost::json::object describe_system(storage::Files& files, const boost::json::object& engine) {
    utsname kernel{};
    ::uname(&kernel);
    const auto release = proc_text(files, "/etc/os-release");
    boost::json::object out{
        {"osType", "linux"},
        {"kernel_name", kernel.sysname},
        {"kernel_release", kernel.release},
        {"kernel_version", kernel.version},
        {"operating_system", os_release_value(release, "ID")},
        {"operating_system_version", os_release_value(release, "VERSION_ID")},
        {"operating_system_variant", os_release_value(release, "VARIANT_ID")},
        {"operating_system_build", os_release_value(release, "BUILD_ID")},
        {"architecture", kernel.machine},
        {"cpus", ::sysconf(_SC_NPROCESSORS_ONLN)},
        {"total_memory", meminfo_bytes(proc_text(files, "/proc/meminfo"), "MemTotal")},
        {"virtualized", virtualized(files)},
        {"product_name", proc_text(files, "/sys/class/dmi/id/product_name")},
        {"system_vendor", proc_text(files, "/sys/class/dmi/id/sys_vendor")},
        {"version", "1.5.0"},
        {"provisioning", {{"type", "manual"}, {"dynamicReprovisioning", false}, {"alwaysReprovisionOnStartup", false}}},
    };
    for (const auto& [name, value] : engine) out[name] = value;
    return out;
}

Result<> add_info(storage::Files& files, const std::filesystem::path& file, boost::json::object& system) {
    const auto text = storage::read_file(files, file);
    if (!text) return fail(text.error());
    auto info = parse_toml(*text);
    if (!info) return fail(info.error().while_doing("reading " + file.native()));
    for (auto& [key, value] : *info) system.emplace(key, std::move(value));
    return {};
}

boost::json::object describe_memory(storage::Files& files) {
    const auto memory = proc_text(files, "/proc/meminfo");
    const auto total = meminfo_bytes(memory, "MemTotal");
    const auto total_swap = meminfo_bytes(memory, "SwapTotal");
    return {{"used_ram", total - std::min(meminfo_bytes(memory, "MemAvailable"), total)},
            {"total_ram", total},
            {"used_swap", total_swap - std::min(meminfo_bytes(memory, "SwapFree"), total_swap)},
            {"total_swap", total_swap}};
}

boost::json::object describe_resources(storage::Files& files, const std::filesystem::path& home,
                                       Duration process_uptime, CpuMeter& processors,
                                       const boost::json::array& statistics) {
    const auto memory = describe_memory(files);
    const auto ticks = read_cpu_time(proc_text(files, "/proc/stat"));
    const auto used = ticks ? processors.used_until(*ticks) : std::nullopt;
    return {{"host_uptime", static_cast<std::uint64_t>(first_number(proc_text(files, "/proc/uptime")))},
            {"process_uptime", std::chrono::duration_cast<std::chrono::seconds>(process_uptime).count()},
            {"used_cpu", used.value_or(-1)},
            {"used_ram", memory.at("used_ram")},
            {"total_ram", memory.at("total_ram")},
            {"disks", describe_disks(files, home)},
            {"docker_stats", boost::json::serialize(statistics)}};
}

}  // namespace skerry::daemon
