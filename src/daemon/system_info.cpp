#include "daemon/system_info.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <sys/utsname.h>
#include <unistd.h>

#include <charconv>
#include <optional>

namespace skerry::daemon {

namespace {
// Files of /proc and /sys tell no size: they are read in one piece of at most 64 KB.
std::string text_of(storage::Files& files, const char* path) {
    auto file = files.open(path, storage::Files::Mode::read);
    std::string text;
    if (!file) return text;
    const auto got = (*file)->read_at(0, 64 * 1024, text);
    if (!got) return {};
    text.resize(*got);
    while (text.ends_with('\n')) text.pop_back();
    return text;
}

// The first number of a text like "12345.67 890".
double first_number(std::string_view text) {
    double value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    return failed == std::errc{} ? value : 0;
}

std::string virtualized(storage::Files& files) {
    const auto cpu = text_of(files, "/proc/cpuinfo");
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
    const auto release = text_of(files, "/etc/os-release");
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
        {"total_memory", meminfo_bytes(text_of(files, "/proc/meminfo"), "MemTotal")},
        {"virtualized", virtualized(files)},
        {"product_name", text_of(files, "/sys/class/dmi/id/product_name")},
        {"system_vendor", text_of(files, "/sys/class/dmi/id/sys_vendor")},
        {"version", "1.5.0"},
        {"provisioning", {{"type", "manual"}, {"dynamicReprovisioning", false}, {"alwaysReprovisionOnStartup", false}}},
    };
    for (const auto& [name, value] : engine) out[name] = value;
    return out;
}

boost::json::object describe_memory(storage::Files& files) {
    const auto memory = text_of(files, "/proc/meminfo");
    const auto total = meminfo_bytes(memory, "MemTotal");
    const auto total_swap = meminfo_bytes(memory, "SwapTotal");
    return {{"used_ram", total - std::min(meminfo_bytes(memory, "MemAvailable"), total)},
            {"total_ram", total},
            {"used_swap", total_swap - std::min(meminfo_bytes(memory, "SwapFree"), total_swap)},
            {"total_swap", total_swap}};
}

boost::json::array describe_disks(storage::Files& files, const std::filesystem::path& home) {
    const auto space = files.space(home);
    if (!space) return {};
    return {boost::json::object{{"name", home.native()},
                                {"available_space", space->available},
                                {"total_space", space->total},
                                {"file_system", ""},
                                {"file_type", "HDD"}}};
}

boost::json::object describe_resources(storage::Files& files, const std::filesystem::path& home,
                                       Duration process_uptime, const boost::json::array& statistics) {
    const auto memory = describe_memory(files);
    const auto cpus = static_cast<double>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
    return {{"host_uptime", static_cast<std::uint64_t>(first_number(text_of(files, "/proc/uptime")))},
            {"process_uptime", std::chrono::duration_cast<std::chrono::seconds>(process_uptime).count()},
            // The load of the last minute: a reading of its own would have to wait.
            {"used_cpu", first_number(text_of(files, "/proc/loadavg")) / cpus * 100},
            {"used_ram", memory.at("used_ram")},
            {"total_ram", memory.at("total_ram")},
            {"disks", describe_disks(files, home)},
            {"docker_stats", boost::json::serialize(statistics)}};
}

}  // namespace skerry::daemon
