// What the daemon says of resources is taken apart without trust.
#include "agent/metrics/resources.hpp"

#include "model/twin.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto answer = skerry::model::parse_object({reinterpret_cast<const char*>(data), size});
    if (answer) static_cast<void>(skerry::agent::parse_resources(*answer));
    return 0;
}
