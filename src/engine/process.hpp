// Processes as /proc shows them, told apart from later ones of the same pid by their start time.
#pragma once

#include "base/result.hpp"

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::engine {

struct ProcessId {
    pid_t pid{0};
    std::uint64_t start_ticks{0};  // since boot: field 22 of /proc/<pid>/stat
    bool operator==(const ProcessId&) const = default;
};

struct ProcessStat {
    char state{'?'};
    pid_t parent{0};
    pid_t group{0};
    pid_t session{0};
    std::uint64_t start_ticks{0};
};
[[nodiscard]] std::optional<ProcessStat> parse_process_stat(std::string_view text);

// nullopt: there is none of that pid.
[[nodiscard]] std::optional<ProcessStat> read_process_stat(pid_t pid);
[[nodiscard]] std::vector<pid_t> all_processes();
// The kernel's random id of this boot.
[[nodiscard]] std::string read_boot_id();

// Whether that very process runs (a zombie does not).
[[nodiscard]] bool is_alive(const ProcessId& process);
// Whether `pid` is `ancestor` or descends from it, 256 generations at most.
[[nodiscard]] bool descends_from(pid_t pid, const ProcessId& ancestor);

// A pidfd of exactly this process; Errc::not_found when it has ended.
[[nodiscard]] Result<int> open_process(const ProcessId& process);
[[nodiscard]] Result<> send_signal(int pidfd, int signal);
// A copy of another process's descriptor.
[[nodiscard]] Result<int> copy_descriptor(int pidfd, int descriptor);
[[nodiscard]] bool has_ended(int pidfd);

}  // namespace skerry::engine
