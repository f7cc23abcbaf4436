#include "engine/spawn.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <utility>

namespace skerry::engine {

OwnedDescriptor& OwnedDescriptor::operator=(OwnedDescriptor&& other) noexcept {
    if (this == &other) return *this;
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = other.release();
    return *this;
}

OwnedDescriptor::~OwnedDescriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

int OwnedDescriptor::release() { return std::exchange(descriptor_, -1); }

Result<int> OwnedDescriptor::copy() const {
    const int copied = ::fcntl(descriptor_, F_DUPFD_CLOEXEC, 0);
    if (copied < 0) return fail(system_error("copying a descriptor", errno));
    return copied;
}

namespace {
Result<OwnedDescriptor> in_memory(const std::string& bytes) {
    OwnedDescriptor file(static_cast<int>(::memfd_create("module-launch", MFD_CLOEXEC)));
    if (file.get() < 0 || ::write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
        ::lseek(file.get(), 0, SEEK_SET) != 0)
        return fail(system_error("handing the start order to the shim", errno));
    return file;
}

// The shim's descriptors must lie at fixed numbers: first all are moved out of each other's way.
Result<std::vector<OwnedDescriptor>> moved_up(const std::vector<int>& descriptors) {
    constexpr int above_all_targets = 64;
    std::vector<OwnedDescriptor> moved;
    for (const int descriptor : descriptors) {
        moved.emplace_back(::fcntl(descriptor, F_DUPFD_CLOEXEC, above_all_targets));
        if (moved.back().get() < 0) return fail(system_error("copying a descriptor for the shim", errno));
    }
    return moved;
}

int spawn(const std::filesystem::path& shim, const std::vector<OwnedDescriptor>& descriptors, pid_t& pid) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        posix_spawn_file_actions_addopen(&actions, standard, "/dev/null", O_RDWR, 0);
    int target = launch_descriptor;
    for (const auto& descriptor : descriptors) posix_spawn_file_actions_adddup2(&actions, descriptor.get(), target++);
    posix_spawn_file_actions_addclosefrom_np(&actions, target);

    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);

    std::string name("skerry");
    std::string role("module-shim");
    std::array<char*, 3> arguments{name.data(), role.data(), nullptr};
    std::array<char*, 1> environment{nullptr};
    const int failed = ::posix_spawn(&pid, shim.c_str(), &actions, &attributes, arguments.data(), environment.data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}
}  // namespace

Result<SpawnedShim> spawn_shim(const std::filesystem::path& shim, const Launch& launch,
                               const std::vector<int>& sockets) {
    const auto order = in_memory(encode(launch));
    if (!order) return std::unexpected(order.error());
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return fail(system_error("making a pipe", errno));
    OwnedDescriptor answer(pipe[0]);
    const OwnedDescriptor answer_end(pipe[1]);

    std::vector<int> descriptors{order->get(), answer_end.get()};
    descriptors.insert(descriptors.end(), sockets.begin(), sockets.end());
    const auto moved = moved_up(descriptors);
    if (!moved) return std::unexpected(moved.error());
    SpawnedShim spawned{0, std::move(answer)};
    if (const int failed = spawn(shim, *moved, spawned.pid); failed != 0)
        return fail(system_error("starting " + shim.native() + " module-shim", failed));
    return spawned;
}

Result<OwnedDescriptor> listen_at(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto& text = path.native();
    if (text.size() >= sizeof address.sun_path)
        return fail(Errc::malformed, text + ": a socket's path may have " +
                                         std::to_string(sizeof address.sun_path - 1) +
                                         " bytes at most; use a state folder with a shorter path");
    text.copy(address.sun_path, text.size());
    OwnedDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (socket.get() < 0) return fail(system_error("making a unix socket", errno));
    ::unlink(text.c_str());
    constexpr int backlog = 128;
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::chmod(text.c_str(), 0666) != 0 || ::listen(socket.get(), backlog) != 0)
        return fail(system_error("listening on " + text, errno));
    return socket;
}

}  // namespace skerry::engine
