#include "daemon/disks.hpp"

#include "daemon/proc_text.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <optional>

namespace skerry::daemon {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_disks = 64;

std::string_view next_field(std::string_view& line) {
    const auto end = line.find(' ');
    const auto field = line.substr(0, end);
    line.remove_prefix(end == line.npos ? line.size() : end + 1);
    return field;
}

// Octal escapes: \040 is a space.
std::string unescaped(std::string_view text) {
    const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
    std::string out;
    while (!text.empty()) {
        if (text.front() == '\\' && text.size() >= 4 && std::ranges::all_of(text.substr(1, 3), is_octal)) {
            out += static_cast<char>((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
            text.remove_prefix(4);
        } else {
            out += text.front();
            text.remove_prefix(1);
        }
    }
    return out;
}

// The kernel says of a whole disk whether it turns; a partition lies in its disk's folder.
std::string type_of(storage::Files& files, const std::string& device) {
    const auto folder = fs::path("/sys/class/block") / fs::path(device).filename();
    for (const auto* place : {"queue/rotational", "../queue/rotational"}) {
        const auto turns = proc_text(files, folder / place);
        if (!turns.empty()) return turns == "0" ? "SSD" : "HDD";
    }
    return "Unknown";
}

std::optional<boost::json::object> describe(storage::Files& files, const Mount& mount) {
    const auto space = files.space(mount.folder);
    if (!space) return std::nullopt;
    return boost::json::object{{"name", mount.device},
                               {"available_space", space->available},
                               {"total_space", space->total},
                               {"file_system", mount.file_system},
                               {"file_type", type_of(files, mount.device)}};
}

bool is_below(const fs::path& path, const fs::path& folder) {
    return std::ranges::mismatch(folder, path).in1 == folder.end();
}

// What `home` lies on: the mount with the longest name above it, the last one of that name.
Mount mount_of(std::string_view mounts, const fs::path& home) {
    Mount best{.device = home.native(), .folder = {}, .file_system = {}};
    while (!mounts.empty()) {
        auto line = mounts.substr(0, mounts.find('\n'));
        mounts.remove_prefix(std::min(line.size() + 1, mounts.size()));
        const auto device = unescaped(next_field(line));
        const fs::path folder = unescaped(next_field(line));
        if (folder.native().size() < best.folder.native().size() || !is_below(home, folder)) continue;
        best = {.device = device.starts_with("/dev/") ? device : home.native(),
                .folder = folder,
                .file_system = std::string(next_field(line))};
    }
    best.folder = home;
    return best;
}

}  // namespace

std::vector<Mount> disk_mounts(std::string_view mounts) {
    std::vector<Mount> all;
    while (!mounts.empty() && all.size() < most_disks) {
        auto line = mounts.substr(0, mounts.find('\n'));
        mounts.remove_prefix(std::min(line.size() + 1, mounts.size()));
        const auto device = unescaped(next_field(line));
        const auto folder = unescaped(next_field(line));
        const auto file_system = next_field(line);
        if (!device.starts_with("/dev/") || device.starts_with("/dev/loop") || file_system == "squashfs") continue;
        if (std::ranges::find(all, device, &Mount::device) != all.end()) continue;
        all.push_back({.device = device, .folder = folder, .file_system = std::string(file_system)});
    }
    return all;
}

boost::json::array describe_disks(storage::Files& files, const fs::path& home) {
    const auto mounts = proc_text(files, "/proc/self/mounts");
    auto all = disk_mounts(mounts);
    auto own = mount_of(mounts, home);
    if (std::ranges::find(all, own.device, &Mount::device) == all.end()) all.push_back(std::move(own));
    boost::json::array disks;
    for (const auto& mount : all)
        if (auto disk = describe(files, mount)) disks.push_back(std::move(*disk));
    return disks;
}

}  // namespace skerry::daemon
