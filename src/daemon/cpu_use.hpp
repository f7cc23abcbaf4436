// How busy the processors are, all together.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace skerry::daemon {

// In ticks since boot, of all processors.
struct CpuTime {
    std::uint64_t busy{0};
    std::uint64_t total{0};
};

// Of the text of /proc/stat (proc(5)); waiting for a disk is not being busy. nullopt: there is no such line.
[[nodiscard]] std::optional<CpuTime> read_cpu_time(std::string_view stat);

// Between two readings; the first one counts from boot.
class CpuMeter {
public:
    // Percent, 0 to 100; nullopt while nothing can be said: no tick has passed, or a counter went back.
    [[nodiscard]] std::optional<double> used_until(CpuTime now);

private:
    CpuTime before_;
};

}  // namespace skerry::daemon
