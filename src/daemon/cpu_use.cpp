#include "daemon/cpu_use.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace skerry::daemon {

std::optional<CpuTime> read_cpu_time(std::string_view stat) {
    constexpr std::string_view head = "cpu ";
    // user, nice, system, idle, iowait, irq, softirq, steal; what guests take is in user and nice already.
    constexpr std::size_t idle = 3;
    constexpr std::size_t iowait = 4;
    if (!stat.starts_with(head)) return std::nullopt;
    auto line = stat.substr(head.size(), stat.find('\n') - head.size());
    std::array<std::uint64_t, 8> ticks{};
    for (auto& value : ticks) {
        const auto digits = line.find_first_not_of(' ');
        if (digits == line.npos) return std::nullopt;
        line.remove_prefix(digits);
        const auto [end, failed] = std::from_chars(line.data(), line.data() + line.size(), value);
        if (failed != std::errc{}) return std::nullopt;
        line.remove_prefix(static_cast<std::size_t>(end - line.data()));
    }
    CpuTime time;
    for (const auto value : ticks) time.total += value;
    time.busy = time.total - ticks[idle] - ticks[iowait];
    return time;
}

std::optional<double> CpuMeter::used_until(CpuTime now) {
    const auto before = std::exchange(before_, now);
    if (now.total <= before.total || now.busy < before.busy) return std::nullopt;
    const auto busy = now.busy - before.busy;
    const auto total = now.total - before.total;
    return busy > total ? 100.0 : 100.0 * static_cast<double>(busy) / static_cast<double>(total);
}

}  // namespace skerry::daemon
