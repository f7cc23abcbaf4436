#include "engine/cgroup.hpp"

#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>

using namespace skerry;
using namespace skerry::engine;

namespace {
constexpr std::string_view version_1_mounts =
    "26 25 0:23 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
    "27 26 0:24 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:5 - cgroup cgroup rw,cpu,cpuacct\n"
    "28 26 0:25 / /sys/fs/cgroup/memory rw,nosuid shared:6 - cgroup cgroup rw,memory\n"
    "29 26 0:26 / /sys/fs/cgroup/unified rw,nosuid shared:7 - cgroup2 cgroup2 rw\n";
constexpr std::string_view version_1_groups = "4:memory:/box/one\n1:cpu,cpuacct:/\n0::/\n";
constexpr std::string_view version_2_mounts = "30 25 0:24 / /sys/fs/cgroup rw,nosuid shared:5 - cgroup2 cgroup2 rw\n";
constexpr Limits both{64 << 20, 500'000'000};

CgroupPlan plan(std::string_view mounts, std::string_view groups, const Limits& limits,
                const std::map<std::string, std::string>& tree = {}) {
    return plan_cgroups(mounts, groups, limits, "skerry-1", [&tree](const std::filesystem::path& path) {
        const auto found = tree.find(path.native());
        return found == tree.end() ? std::string() : found->second;
    });
}
}  // namespace

TEST_CASE("version 1: each limit goes to its own hierarchy, below our own group") {
    const auto found = plan(version_1_mounts, version_1_groups, both);
    CHECK(found.problems.empty());
    REQUIRE(found.steps.size() == 2);
    CHECK(found.steps[0].folder == "/sys/fs/cgroup/memory/box/one/skerry-1");
    CHECK(found.steps[0].writes ==
          std::vector<CgroupWrite>{{"/sys/fs/cgroup/memory/box/one/skerry-1/memory.limit_in_bytes", "67108864"}});
    CHECK(found.steps[1].folder == "/sys/fs/cgroup/cpu,cpuacct/skerry-1");
    CHECK(found.steps[1].writes ==
          std::vector<CgroupWrite>{{"/sys/fs/cgroup/cpu,cpuacct/skerry-1/cpu.cfs_period_us", "100000"},
                                   {"/sys/fs/cgroup/cpu,cpuacct/skerry-1/cpu.cfs_quota_us", "50000"}});
    CHECK(found.steps[0].enable.empty());
}

TEST_CASE("version 2: one group has both limits, and the controllers are handed down") {
    const auto found =
        plan(version_2_mounts, "0::/system.slice/skerry.service/skerry-daemon\n", both,
             {{"/sys/fs/cgroup/system.slice/skerry.service/cgroup.controllers", "cpu io memory pids\n"}});
    CHECK(found.problems.empty());
    REQUIRE(found.steps.size() == 2);
    for (const auto& step : found.steps) CHECK(step.folder == "/sys/fs/cgroup/system.slice/skerry.service/skerry-1");
    CHECK(found.steps[0].enable == "+memory");
    CHECK(found.steps[0].writes[0].value == "67108864");
    CHECK(found.steps[1].enable == "+cpu");
    CHECK(found.steps[1].writes[0].file.filename() == "cpu.max");
    CHECK(found.steps[1].writes[0].value == "50000 100000");
}

TEST_CASE("a limit that can't be applied is a problem with the option's name") {
    const auto undelegated = plan(version_2_mounts, "0::/user.slice\n", both,
                                  {{"/sys/fs/cgroup/user.slice/cgroup.controllers", "memory pids\n"}});
    CHECK(undelegated.steps.size() == 1);
    REQUIRE(undelegated.problems.size() == 1);
    CHECK(undelegated.problems[0].starts_with("HostConfig.NanoCpus could not be applied: "));
    CHECK(plan("", "", both).problems.size() == 2);
    CHECK(plan(version_2_mounts, "0::/../other\n", {1 << 20, 0}).problems.size() == 1);
    CHECK(plan(version_1_mounts, "", {1 << 20, 0}).problems.size() == 1);
    CHECK(plan(version_1_mounts, version_1_groups, {}).steps.empty());
}

TEST_CASE("applying a plan makes the group and fills it; a tree that is not writable is a problem") {
    namespace fs = std::filesystem;
    const sim::TemporaryFolder folder;
    const auto& root = folder.path();
    fs::create_directories(root / "skerry-1");
    std::ofstream(root / "skerry-1/memory.max") << "max";
    CgroupPlan good;
    good.steps.push_back(
        {"HostConfig.Memory", root, "", root / "skerry-1", {{root / "skerry-1/memory.max", "1048576"}}});
    const auto applied = apply_cgroups(good);
    CHECK(applied.problems.empty());
    CHECK(applied.procs == std::vector<std::string>{(root / "skerry-1/cgroup.procs").native()});
    std::string written;
    std::ifstream(root / "skerry-1/memory.max") >> written;
    CHECK(written == "1048576");

    good.steps[0].writes[0].file = root / "skerry-1/absent";
    const auto refused = apply_cgroups(good);
    CHECK(refused.procs.empty());
    REQUIRE(refused.problems.size() == 1);
    CHECK(refused.problems[0].starts_with("HostConfig.Memory could not be applied: "));
}
