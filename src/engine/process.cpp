#include "engine/process.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>

namespace skerry::engine {

namespace {
template <class T>
bool next_number(std::string_view& text, T& out) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (failed != std::errc{}) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}

// Small files of /proc; plain reads with no buffer on the heap, since the shim uses them too.
std::optional<std::string> read_small(const char* path) {
    const int file = ::open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return std::nullopt;
    std::array<char, 1024> buffer{};
    const auto got = ::read(file, buffer.data(), buffer.size());
    ::close(file);
    if (got < 0) return std::nullopt;
    return std::string(buffer.data(), static_cast<std::size_t>(got));
}
}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view text) {
    // "pid (name) S ppid pgrp session …": the name may hold anything, so the last ')' counts.
    const auto end_of_name = text.rfind(')');
    if (end_of_name == text.npos || text.size() < end_of_name + 4) return std::nullopt;
    ProcessStat stat;
    stat.state = text[end_of_name + 2];
    auto rest = text.substr(end_of_name + 3);
    if (!next_number(rest, stat.parent) || !next_number(rest, stat.group) || !next_number(rest, stat.session))
        return std::nullopt;
    constexpr int between_session_and_start = 15;
    std::int64_t skipped = 0;
    for (int i = 0; i < between_session_and_start; ++i)
        if (!next_number(rest, skipped)) return std::nullopt;
    if (!next_number(rest, stat.start_ticks)) return std::nullopt;
    return stat;
}

std::optional<ProcessStat> read_process_stat(pid_t pid) {
    std::array<char, 40> path{};
    std::snprintf(path.data(), path.size(), "/proc/%d/stat", pid);
    const auto text = read_small(path.data());
    return text ? parse_process_stat(*text) : std::nullopt;
}

std::vector<pid_t> all_processes() {
    std::vector<pid_t> found;
    DIR* const folder = ::opendir("/proc");
    if (folder == nullptr) return found;
    while (const dirent* const entry = ::readdir(folder)) {
        std::string_view name(entry->d_name);
        pid_t pid = 0;
        if (next_number(name, pid) && name.empty()) found.push_back(pid);
    }
    ::closedir(folder);
    return found;
}

std::string read_boot_id() {
    auto text = read_small("/proc/sys/kernel/random/boot_id").value_or("unknown");
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

bool is_alive(const ProcessId& process) {
    if (process.pid <= 0) return false;
    const auto stat = read_process_stat(process.pid);
    return stat && stat->start_ticks == process.start_ticks && stat->state != 'Z' && stat->state != 'X';
}

bool descends_from(pid_t pid, const ProcessId& ancestor) {
    if (ancestor.pid <= 0) return false;
    constexpr int generations = 256;
    for (int i = 0; i < generations && pid > 1; ++i) {
        const auto stat = read_process_stat(pid);
        if (!stat) return false;
        if (pid == ancestor.pid) return stat->start_ticks == ancestor.start_ticks;
        pid = stat->parent;
    }
    return false;
}

Result<int> open_process(const ProcessId& process) {
    const auto gone = [] { return fail(Errc::not_found, "the process has ended"); };
    if (process.pid <= 0) return gone();
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0U));
    if (pidfd < 0) {
        if (errno == ESRCH || errno == EINVAL) return gone();
        return fail(system_error("opening a process", errno));
    }
    // Only now is the pid pinned: whoever has it is whom we compare.
    const auto stat = read_process_stat(process.pid);
    if (!stat || stat->start_ticks != process.start_ticks) {
        ::close(pidfd);
        return gone();
    }
    return pidfd;
}

Result<> send_signal(int pidfd, int signal) {
    if (::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0U) == 0) return {};
    if (errno == ESRCH) return fail(Errc::not_found, "the process has ended");
    return fail(system_error("signalling a process", errno));
}

Result<int> copy_descriptor(int pidfd, int descriptor) {
    const int copy = static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd, descriptor, 0U));
    if (copy < 0) return fail(system_error("copying a descriptor of another process", errno));
    return copy;
}

bool has_ended(int pidfd) {
    pollfd entry{pidfd, POLLIN, 0};
    return ::poll(&entry, 1, 0) == 1;
}

}  // namespace skerry::engine
