// What lies in the telemetry's file is read without trust; what was read is written again as it was.
#include "agent/telemetry/diagnostics.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto read = skerry::agent::Diagnostics::decode({reinterpret_cast<const char*>(data), size});
    if (read) static_cast<void>(read->messages());
    return 0;
}
