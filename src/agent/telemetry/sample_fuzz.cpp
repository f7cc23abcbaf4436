// A metrics page, in pieces, taken apart and scrubbed: no label of the device may get through.
#include "agent/telemetry/sample.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    skerry::agent::Lines lines;
    const auto take = [](std::string_view line) {
        auto sample = skerry::agent::parse_sample(line);
        if (!sample) return;
        const auto scrubbed = skerry::agent::scrub(std::move(*sample));
        if (scrubbed && (scrubbed->labels.contains("iothub") || scrubbed->labels.contains("edge_device"))) std::abort();
    };
    lines.feed(text.substr(0, size / 2), take);
    lines.feed(text.substr(size / 2), take);
    lines.feed("\n", take);
    return 0;
}
