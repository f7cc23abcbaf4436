// /proc/self/mountinfo and cgroup come from the kernel, but through whatever container runs us: any text gives a plan.
#include "engine/cgroup.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace skerry::engine;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto half = text.size() / 2;
    static_cast<void>(plan_cgroups(text.substr(0, half), text.substr(half), Limits{1 << 20, 1'000'000'000}, "group",
                                   [](const std::filesystem::path&) { return std::string("memory cpu"); }));
    return 0;
}
