// The file "run" in a module's folder: which processes the last start made, and how they ended
// (docs/formats/process-engine.md). Written by the shim only, whole and durably: before the module's program runs, and
// after it ended.
#pragma once

#include "base/result.hpp"
#include "engine/process.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::engine {

struct RunRecord {
    std::string boot_id;
    ProcessId shim;
    ProcessId main;
    std::int64_t started_ns{0};    // since 1970
    std::int64_t exited_ns{0};     // 0: it had not ended when this was written
    std::optional<int> exit_code;  // 128 + the signal's number when one killed it
    int signal{0};
    std::string error;                 // why the program could not be run at all
    std::vector<std::string> notes;    // what of the module's options could not be done
    std::vector<std::string> sockets;  // paths; held in this order from first_socket_descriptor on
};

[[nodiscard]] std::string format(const RunRecord& record);
[[nodiscard]] Result<RunRecord> parse_run_record(std::string_view text);

}  // namespace skerry::engine
