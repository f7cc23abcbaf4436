// The daemon's own log for a support bundle: from systemd's journal where the daemon writes to it, else the last lines
// that this process remembers.
//
// Promises: the loop is never blocked, and who takes slowly makes journalctl wait. Where something is missing, the text
//           says so.
// Bounds:   the last 100,000 lines or 64 MB; journalctl may be silent for 30 s. Without a journal 128 KB.
#pragma once

#include "base/clock.hpp"
#include "base/task.hpp"
#include "storage/files.hpp"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::daemon {

inline constexpr std::size_t remembered_log = std::size_t{128} * 1024;

struct JournalUnit {
    std::string name;     // "skerry.service"
    bool of_user{false};  // of a user's own service manager
};

struct OwnLog {
    std::optional<JournalUnit> unit;  // absent: the log does not go to the journal
    std::filesystem::path journalctl{"/usr/bin/journalctl"};

    [[nodiscard]] std::string name() const;  // "skerry", or "skerry-daemon" without a unit
};

// Of this process: JOURNAL_STREAM names standard output, and its control group names the unit.
[[nodiscard]] OwnLog find_own_log(storage::Files& files);

// The text of /proc/self/cgroup. Pure.
[[nodiscard]] std::optional<JournalUnit> unit_of(std::string_view control_groups);

// `take` gets pieces of at most 64 KB, until it returns false.
[[nodiscard]] Task<> read_own_log(Executor executor, Clock& clock, OwnLog log, std::optional<WallTime> since,
                                  std::optional<WallTime> until, std::function<Task<bool>(std::string)> take);

}  // namespace skerry::daemon
