// What the management API's readers accept must come out again as it went in.
#include "daemonapi/shapes.hpp"

#include "model/twin.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace skerry;
    const auto json = model::parse_object(std::string_view(reinterpret_cast<const char*>(data), size));
    if (!json) return 0;
    if (const auto spec = daemonapi::parse_module_spec(*json))
        if (!daemonapi::parse_module_spec(daemonapi::to_json(*spec))) std::abort();
    if (const auto status = daemonapi::parse_module_status(*json))
        if (!daemonapi::parse_module_status(daemonapi::to_json(*status))) std::abort();
    if (const auto entry = daemonapi::parse_identity_entry(*json))
        if (!daemonapi::parse_identity_entry(daemonapi::to_json(*entry))) std::abort();
    return 0;
}
