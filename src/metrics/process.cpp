#include "metrics/process.hpp"

#include "metrics/exposition.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string_view>

namespace skerry::metrics {

namespace {

std::optional<std::uint64_t> number_of(std::string_view text) {
    std::uint64_t value = 0;
    const auto [stop, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc{} || stop == text.data()) return std::nullopt;
    return value;
}

// When the machine started, of the text of /proc/stat.
std::optional<double> boot_time(std::string_view text) {
    constexpr std::string_view label = "\nbtime ";
    const auto at = text.find(label);
    if (at == std::string_view::npos) return std::nullopt;
    const auto seconds = number_of(text.substr(at + label.size()));
    return seconds ? std::optional(static_cast<double>(*seconds)) : std::nullopt;
}

std::optional<std::uint64_t> most_open_files() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::nullopt;
    return limit.rlim_cur;
}

}  // namespace

std::optional<ProcessStatus> parse_process_stat(std::string_view text, std::optional<double> booted) {
    // proc(5) counts from 1; the second one is the name, in parentheses, with whatever is in it.
    enum Field : std::size_t { user = 14, system = 15, threads = 20, start = 22, memory = 23, resident = 24, end = 25 };
    const auto name = text.rfind(')');
    if (name == std::string_view::npos) return std::nullopt;
    std::array<std::uint64_t, end> values{};
    auto at = name + 1;
    for (std::size_t field = 3; field < end; ++field) {
        at = text.find_first_not_of(' ', at);
        if (at == std::string_view::npos) return std::nullopt;
        const auto next = std::min(text.find(' ', at), text.size());
        values[field] = number_of(text.substr(at, next - at)).value_or(0);
        at = next;
    }
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    ProcessStatus status;
    status.cpu_seconds = static_cast<double>(values[user] + values[system]) / ticks;
    status.threads = values[threads];
    status.virtual_bytes = values[memory];
    status.resident_bytes = values[resident] * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    if (booted) status.started = *booted + static_cast<double>(values[start]) / ticks;
    return status;
}

Process::Process(storage::Files& files) : files_(files) {
    if (const auto text = storage::read_file(files_, "/proc/stat")) booted_ = boot_time(*text);
}

std::optional<ProcessStatus> Process::status() const {
    const auto text = storage::read_file(files_, "/proc/self/stat", 4096);
    if (!text) return std::nullopt;
    auto status = parse_process_stat(*text, booted_);
    if (!status) return std::nullopt;
    // One of them is the folder itself.
    if (const auto open = files_.list("/proc/self/fd"); open && !open->empty()) status->open_files = open->size() - 1;
    status->most_files = most_open_files();
    return status;
}

void write_process(Exposition& out, const ProcessStatus& process) {
    out.family("process_cpu_seconds_total", "counter", "Processor time of this process, user and system");
    out.sample("", process.cpu_seconds);
    out.family("process_virtual_memory_bytes", "gauge", "Virtual memory size of this process");
    out.sample("", process.virtual_bytes);
    out.family("process_resident_memory_bytes", "gauge", "Resident memory size of this process");
    out.sample("", process.resident_bytes);
    out.family("process_num_threads", "gauge", "Threads of this process");
    out.sample("", process.threads);
    if (process.started) {
        out.family("process_start_time_seconds", "gauge", "When this process started, in Unix time");
        out.sample("", *process.started);
    }
    if (process.open_files) {
        out.family("process_open_fds", "gauge", "Open file descriptors of this process");
        out.sample("", *process.open_files);
    }
    if (process.most_files) {
        out.family("process_max_fds", "gauge", "How many file descriptors this process may open");
        out.sample("", *process.most_files);
    }
    // The existing hub's library has names of its own for two of them.
    out.family("process_working_set_bytes", "gauge", "As process_resident_memory_bytes");
    out.sample("", process.resident_bytes);
    if (process.open_files) {
        out.family("process_open_handles", "gauge", "As process_open_fds");
        out.sample("", *process.open_files);
    }
}

}  // namespace skerry::metrics
