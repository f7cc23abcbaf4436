#include "engine/cgroup.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

namespace skerry::engine {

namespace {
namespace fs = std::filesystem;

constexpr std::string_view daemon_leaf = "/skerry-daemon";
constexpr std::uint64_t cpu_period_us = 100'000;

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (!text.empty()) {
        const auto end = text.find(separator);
        parts.push_back(text.substr(0, end));
        text.remove_prefix(end == text.npos ? text.size() : end + 1);
    }
    return parts;
}

bool has_word(std::string_view text, char separator, std::string_view word) {
    const auto parts = split(text, separator);
    return std::ranges::any_of(parts, [&](std::string_view part) {
        while (part.ends_with('\n')) part.remove_suffix(1);
        return part == word;
    });
}

struct Hierarchy {
    bool unified{false};
    fs::path mount_point;
    std::string root;  // what of the hierarchy is mounted there
};

// "36 35 0:30 /root /mount rw,relatime shared:15 - cgroup cgroup rw,memory"
std::optional<Hierarchy> hierarchy_of(std::string_view mountinfo, std::string_view controller) {
    std::optional<Hierarchy> unified;
    for (const auto line : split(mountinfo, '\n')) {
        const auto dash = line.find(" - ");
        if (dash == line.npos) continue;
        const auto front = split(line.substr(0, dash), ' ');
        const auto back = split(line.substr(dash + 3), ' ');
        if (front.size() < 5 || back.size() < 3) continue;
        Hierarchy found{back[0] == "cgroup2", fs::path(front[4]), std::string(front[3])};
        if (found.unified)
            unified = std::move(found);
        else if (back[0] == "cgroup" && has_word(back[2], ',', controller))
            return found;
    }
    return unified;
}

// "4:memory:/path" or "0::/path"
std::optional<std::string> own_path(std::string_view own_groups, bool unified, std::string_view controller) {
    for (const auto line : split(own_groups, '\n')) {
        const auto first = line.find(':');
        const auto second = first == line.npos ? first : line.find(':', first + 1);
        if (second == line.npos) continue;
        const auto names = line.substr(first + 1, second - first - 1);
        if (unified ? names.empty() : has_word(names, ',', controller)) return std::string(line.substr(second + 1));
    }
    return std::nullopt;
}

// The folder of our own group; nullopt when it lies outside of what is mounted.
std::optional<fs::path> own_folder(const Hierarchy& hierarchy, std::string path) {
    if (path.ends_with(daemon_leaf)) path.resize(path.size() - daemon_leaf.size());
    if (hierarchy.root != "/") {
        if (!path.starts_with(hierarchy.root)) return std::nullopt;
        path.erase(0, hierarchy.root.size());
    }
    if (path.starts_with("/..")) return std::nullopt;
    while (path.starts_with('/')) path.erase(0, 1);
    return path.empty() ? hierarchy.mount_point : hierarchy.mount_point / path;
}

struct Wanted {
    std::string_view controller;
    std::string_view option;
    std::vector<CgroupWrite> version_1;  // file names only
    std::vector<CgroupWrite> version_2;
};

std::vector<Wanted> wanted_by(const Limits& limits) {
    std::vector<Wanted> wanted;
    if (limits.memory_bytes > 0) {
        const auto bytes = std::to_string(limits.memory_bytes);
        wanted.push_back({"memory", "HostConfig.Memory", {{"memory.limit_in_bytes", bytes}}, {{"memory.max", bytes}}});
    }
    if (limits.nano_cpus > 0) {
        // The kernel takes no quota below 1 ms.
        const auto micros = static_cast<double>(limits.nano_cpus) / 1e9 * static_cast<double>(cpu_period_us);
        const auto quota = std::to_string(static_cast<std::uint64_t>(std::clamp(micros, 1000.0, 1e12)));
        const auto period = std::to_string(cpu_period_us);
        wanted.push_back({"cpu",
                          "HostConfig.NanoCpus",
                          {{"cpu.cfs_period_us", period}, {"cpu.cfs_quota_us", quota}},
                          {{"cpu.max", quota + ' ' + period}}});
    }
    return wanted;
}

std::string problem(std::string_view option, std::string_view why) {
    return std::string(option) + " could not be applied: " + std::string(why);
}

bool write_file(const fs::path& path, std::string_view value) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (file < 0) return false;
    const bool written = ::write(file, value.data(), value.size()) == static_cast<ssize_t>(value.size());
    const int failed = errno;
    ::close(file);
    errno = failed;
    return written;
}

std::string read_small(const fs::path& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return {};
    std::string out;
    std::array<char, 4096> buffer{};
    for (ssize_t got = 0; (got = ::read(file, buffer.data(), buffer.size())) > 0 && out.size() < 1024 * 1024;)
        out.append(buffer.data(), static_cast<std::size_t>(got));
    ::close(file);
    return out;
}

// A group of version 2 that has processes can't hand controllers down. If the only one is this process, it moves into a
// leaf of its own; others' processes are not ours to move.
bool enable_controller(const fs::path& parent, std::string_view enable) {
    if (write_file(parent / "cgroup.subtree_control", enable)) return true;
    if (errno != EBUSY) return false;
    if (read_small(parent / "cgroup.procs") != std::to_string(::getpid()) + '\n') return errno = EBUSY, false;
    const auto leaf = fs::path(parent.native() + std::string(daemon_leaf));
    if (::mkdir(leaf.c_str(), 0755) != 0 && errno != EEXIST) return false;
    return write_file(leaf / "cgroup.procs", "0") && write_file(parent / "cgroup.subtree_control", enable);
}

// The file that could not be written, or empty.
std::string apply(const CgroupStep& step) {
    if (!step.enable.empty() && !enable_controller(step.parent, step.enable))
        return (step.parent / "cgroup.subtree_control").native();
    if (::mkdir(step.folder.c_str(), 0755) != 0 && errno != EEXIST) return step.folder.native();
    for (const auto& write : step.writes)
        if (!write_file(write.file, write.value)) return write.file.native();
    return {};
}
}  // namespace

CgroupPlan plan_cgroups(std::string_view mountinfo, std::string_view own_groups, const Limits& limits,
                        std::string_view group_name, const std::function<std::string(const fs::path&)>& read) {
    CgroupPlan plan;
    for (const auto& wanted : wanted_by(limits)) {
        const auto refuse = [&](std::string_view why) { plan.problems.push_back(problem(wanted.option, why)); };
        const auto hierarchy = hierarchy_of(mountinfo, wanted.controller);
        if (!hierarchy) {
            refuse("no control groups are mounted");
            continue;
        }
        const auto path = own_path(own_groups, hierarchy->unified, wanted.controller);
        const auto parent = path ? own_folder(*hierarchy, *path) : std::nullopt;
        if (!parent) {
            refuse("this process's control group is not visible here");
            continue;
        }
        if (hierarchy->unified && !has_word(read(*parent / "cgroup.controllers"), ' ', wanted.controller)) {
            refuse("the controller '" + std::string(wanted.controller) + "' is not delegated to " + parent->native());
            continue;
        }
        CgroupStep step{std::string(wanted.option), *parent, {}, *parent / group_name, {}};
        if (hierarchy->unified) step.enable = '+' + std::string(wanted.controller);
        for (const auto& write : hierarchy->unified ? wanted.version_2 : wanted.version_1)
            step.writes.push_back({step.folder / write.file, write.value});
        plan.steps.push_back(std::move(step));
    }
    return plan;
}

AppliedCgroups apply_cgroups(const CgroupPlan& plan) {
    AppliedCgroups applied;
    applied.problems = plan.problems;
    for (const auto& step : plan.steps) {
        if (const auto failed = apply(step); !failed.empty()) {
            applied.problems.push_back(problem(step.option, failed + ": " + std::strerror(errno)));
            continue;
        }
        auto procs = (step.folder / "cgroup.procs").native();
        if (std::ranges::find(applied.procs, procs) == applied.procs.end()) {
            applied.procs.push_back(std::move(procs));
            applied.folders.push_back(step.folder);
        }
    }
    return applied;
}

void remove_cgroups(const std::vector<fs::path>& folders) {
    for (const auto& folder : folders) ::rmdir(folder.c_str());
}

AppliedCgroups limit_module(const fs::path& proc, const Limits& limits, std::string_view group_name) {
    if (limits == Limits{}) return {};
    return apply_cgroups(plan_cgroups(read_small(proc / "self/mountinfo"), read_small(proc / "self/cgroup"), limits,
                                      group_name, read_small));
}

}  // namespace skerry::engine
