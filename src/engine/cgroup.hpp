// Memory and CPU limits through control groups, version 1 or 2, as far as this process may write them.
//
// Promises: a limit is applied, or a problem says why not; never silently neither.
#pragma once

#include "base/result.hpp"
#include "engine/create_options.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::engine {

struct CgroupWrite {
    std::filesystem::path file;
    std::string value;
    bool operator==(const CgroupWrite&) const = default;
};

// One group of one hierarchy.
struct CgroupStep {
    std::string option;            // what of createOptions it is for: "HostConfig.Memory"
    std::filesystem::path parent;  // the group of this process
    std::string enable;            // version 2: the controller to hand down to children, "+memory"
    std::filesystem::path folder;  // the module's group, below parent
    std::vector<CgroupWrite> writes;
};

struct CgroupPlan {
    std::vector<CgroupStep> steps;
    std::vector<std::string> problems;  // "HostConfig.NanoCpus could not be applied: …"
};

// `mountinfo` and `own_groups` are /proc/self/mountinfo and /proc/self/cgroup; `read` reads a small file ("" when it
// can't). Pure but for `read`.
[[nodiscard]] CgroupPlan plan_cgroups(std::string_view mountinfo, std::string_view own_groups, const Limits& limits,
                                      std::string_view group_name,
                                      const std::function<std::string(const std::filesystem::path&)>& read);

struct AppliedCgroups {
    std::vector<std::string> procs;  // "cgroup.procs" files that the module's first process writes itself into
    std::vector<std::string> problems;
    std::vector<std::filesystem::path> folders;  // to remove when the module has ended
};
[[nodiscard]] AppliedCgroups apply_cgroups(const CgroupPlan& plan);
void remove_cgroups(const std::vector<std::filesystem::path>& folders);

// Reads /proc and the tree, plans and applies.
[[nodiscard]] AppliedCgroups limit_module(const std::filesystem::path& proc, const Limits& limits,
                                          std::string_view group_name);

}  // namespace skerry::engine
