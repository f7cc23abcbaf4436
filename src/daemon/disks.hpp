// The file systems of this machine that lie on disks.
#pragma once

#include "storage/files.hpp"

#include <boost/json/array.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::daemon {

struct Mount {
    std::string device;  // "/dev/sda1"
    std::filesystem::path folder;
    std::string file_system;  // "ext4"
};

// Those on block devices, each device once, without images that are mounted read-only (loop devices, squashfs); 64 at
// most. Of the text of /proc/self/mounts (fstab(5)): spaces in names are "\040".
[[nodiscard]] std::vector<Mount> disk_mounts(std::string_view mounts);

// {"name","available_space","total_space","file_system","file_type"} of each, as the existing daemon tells them
// (agent-and-daemon.md 5.3.3); the one that holds `home` is there even when it lies on no device of this machine.
[[nodiscard]] boost::json::array describe_disks(storage::Files& files, const std::filesystem::path& home);

}  // namespace skerry::daemon
