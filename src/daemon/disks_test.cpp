#include "daemon/disks.hpp"

#include <doctest/doctest.h>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

using namespace skerry;
using namespace skerry::daemon;

TEST_CASE("disks are what is mounted of block devices, each once") {
    const auto mounts = disk_mounts(
        "proc /proc proc rw 0 0\n"
        "/dev/sda1 / ext4 rw,relatime 0 0\n"
        "tmpfs /run tmpfs rw 0 0\n"
        "/dev/sda1 /var/lib/docker ext4 rw 0 0\n"
        "/dev/loop3 /snap/x squashfs ro 0 0\n"
        "/dev/mapper/data /srv/my\\040data xfs rw 0 0");
    REQUIRE(mounts.size() == 2);
    CHECK(mounts[0].device == "/dev/sda1");
    CHECK(mounts[0].folder == "/");
    CHECK(mounts[0].file_system == "ext4");
    CHECK(mounts[1].folder == "/srv/my data");
    CHECK(disk_mounts("").empty());
    CHECK(disk_mounts("\n\n/dev/x\n").size() == 1);
    std::string many;
    for (int i = 0; i < 100; ++i) many += "/dev/x" + std::to_string(i) + " / ext4 rw 0 0\n";
    CHECK(disk_mounts(many).size() == 64);
}

TEST_CASE("the disk that holds the home is always told, with its space") {
    const auto files = storage::make_system_files();
    const auto disks = describe_disks(*files, "/proc/self");
    REQUIRE_FALSE(disks.empty());
    const auto& own = disks.back().as_object();
    CHECK(own.at("name") == "/proc/self");
    CHECK(own.at("file_system") == "proc");
    const auto root = describe_disks(*files, "/");
    REQUIRE_FALSE(root.empty());
    bool has_space = false;
    for (const auto& disk : root) has_space |= disk.at("total_space").to_number<std::uint64_t>() > 0;
    CHECK(has_space);
}
