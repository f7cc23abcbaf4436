#include "engine/module_process.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace skerry::engine {

namespace {
namespace fs = std::filesystem;

bool bind(const std::string& source, const std::string& target) {
    return ::mount(source.c_str(), target.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0;
}

bool make_file(const std::string& path) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) return false;
    ::close(file);
    return true;
}

// Shows `name` of the covered folder again, under the file system that covers it now.
void uncover(int covered, const std::string& folder, const char* name) {
    const auto source = "/proc/self/fd/" + std::to_string(covered) + '/' + name;
    const auto target = folder + '/' + name;
    struct stat about{};
    if (::fstatat(covered, name, &about, AT_SYMLINK_NOFOLLOW) != 0) return;
    if (S_ISLNK(about.st_mode)) {
        std::array<char, PATH_MAX> link{};
        const auto length = ::readlinkat(covered, name, link.data(), link.size() - 1);
        if (length > 0 && ::symlink(link.data(), target.c_str()) != 0) return;
        return;
    }
    const bool made = S_ISDIR(about.st_mode) ? ::mkdir(target.c_str(), 0755) == 0 : make_file(target);
    if (made && !bind(source, target)) {
        if (S_ISDIR(about.st_mode))
            ::rmdir(target.c_str());
        else
            ::unlink(target.c_str());
    }
}

// `folder` exists and can't be written: covers it with a memory file system that shows the same entries and has room
// for ours. Seen by this module only.
bool cover_with_writable(const std::string& folder) {
    constexpr int most_entries = 1024;
    const int covered = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (covered < 0) return false;
    DIR* const entries = ::fdopendir(covered);
    if (entries == nullptr) {
        ::close(covered);
        return false;
    }
    const bool mounted = ::mount("tmpfs", folder.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") == 0;
    int seen = 0;
    while (const dirent* const entry = mounted && seen < most_entries ? ::readdir(entries) : nullptr) {
        if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
        uncover(covered, folder, entry->d_name);
        ++seen;
    }
    ::closedir(entries);
    return mounted;
}

bool place_sockets(const std::string& socket_folder) {
    std::array<char, PATH_MAX> resolved{};
    const fs::path inner(inner_socket_folder);
    if (::realpath(inner.parent_path().c_str(), resolved.data()) == nullptr) return false;
    const std::string parent(resolved.data());
    const auto target = parent + '/' + inner.filename().native();
    const auto ready = [&] { return ::mkdir(target.c_str(), 0755) == 0 || errno == EEXIST; };
    if (!ready() && !(cover_with_writable(parent) && ready())) return false;
    return bind(socket_folder, target);
}

// Makes what is to be mounted over: the text of the error, or empty.
std::string make_target(const BindMount& wanted, bool folder) {
    std::error_code failed;
    if (fs::exists(wanted.target, failed)) return {};
    const fs::path target(wanted.target);
    fs::create_directories(folder ? target : target.parent_path(), failed);
    if (failed) return failed.message();
    if (!folder && !make_file(wanted.target)) return std::strerror(errno);
    return {};
}

// Empty, or why it was ignored.
std::string place_bind(const BindMount& wanted) {
    const auto ignored = [&](const std::string& why) {
        return "bind " + wanted.source + ':' + wanted.target + " was ignored: " + why;
    };
    // As the container engine does it: a source that is missing becomes a folder.
    std::error_code failed;
    if (!fs::exists(wanted.source, failed)) fs::create_directories(wanted.source, failed);
    if (failed) return ignored("its source: " + failed.message());
    if (auto why = make_target(wanted, fs::is_directory(wanted.source, failed)); !why.empty())
        return ignored("its target: " + why);
    if (!bind(wanted.source, wanted.target)) return ignored(std::strerror(errno));
    constexpr unsigned long read_only = MS_BIND | MS_REMOUNT | MS_RDONLY;
    if (wanted.read_only && ::mount(nullptr, wanted.target.c_str(), nullptr, read_only, nullptr) != 0) {
        const std::string why = std::strerror(errno);
        ::umount2(wanted.target.c_str(), MNT_DETACH);  // rather not there than writable
        return ignored("it can't be made read-only: " + why);
    }
    return {};
}
}  // namespace

std::vector<std::string> prepare_mounts(const Launch& launch, bool& sockets_placed) {
    std::vector<std::string> notes;
    sockets_placed = false;
    if (launch.socket_folder.empty() && launch.binds.empty()) return notes;
    const bool own_namespace =
        ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr) == 0;
    if (!own_namespace) {
        const std::string why = std::strerror(errno);
        for (const auto& wanted : launch.binds)
            notes.push_back("bind " + wanted.source + ':' + wanted.target +
                            " was ignored: no mount namespace could be made: " + why);
        return notes;
    }
    if (!launch.socket_folder.empty()) sockets_placed = place_sockets(launch.socket_folder);
    for (const auto& wanted : launch.binds)
        if (auto note = place_bind(wanted); !note.empty()) notes.push_back(std::move(note));
    return notes;
}

}  // namespace skerry::engine
