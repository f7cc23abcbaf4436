// What the kernel says of this process, under the names that Prometheus' client libraries give it.
//
// Promise: reads only what is in memory (/proc); what the kernel does not say is left out.
#pragma once

#include "storage/files.hpp"

#include <cstdint>
#include <optional>

namespace skerry::metrics {

class Exposition;

struct ProcessStatus {
    double cpu_seconds{0};
    std::uint64_t virtual_bytes{0};
    std::uint64_t resident_bytes{0};
    std::uint64_t threads{0};
    std::optional<double> started;  // Unix time
    std::optional<std::uint64_t> open_files;
    std::optional<std::uint64_t> most_files;
};

// Of the text of /proc/self/stat; without the last three.
[[nodiscard]] std::optional<ProcessStatus> parse_process_stat(std::string_view text, std::optional<double> booted);

class Process {
public:
    explicit Process(storage::Files& files);
    [[nodiscard]] std::optional<ProcessStatus> status() const;

private:
    storage::Files& files_;
    std::optional<double> booted_;  // the machine; Unix time
};

void write_process(Exposition& out, const ProcessStatus& process);

}  // namespace skerry::metrics
