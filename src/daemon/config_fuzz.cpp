// Any text is a configuration, or an error; never a crash.
#include "daemon/config.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static_cast<void>(skerry::daemon::parse_config({reinterpret_cast<const char*>(data), size}, "host"));
    return 0;
}
