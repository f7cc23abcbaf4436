// What lies in a module's folder may be damaged: it is read, or refused; what was read is written the same way again.
#include "engine/run_record.hpp"

#include "engine/launch.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace skerry::engine;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto record = parse_run_record(text)) {
        const auto again = parse_run_record(format(*record));
        if (!again || format(*again) != format(*record)) std::abort();
    }
    if (const auto launch = decode_launch(text))
        if (decode_launch(encode(*launch)) != *launch) std::abort();
    static_cast<void>(parse_process_stat(text));
    return 0;
}
