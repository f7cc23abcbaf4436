// What the scope calls answer must be read into identities that are written and read again unchanged.
#include "iothub/registry_client.hpp"
#include "model/twin.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace skerry;
    const auto json = model::parse_object(std::string_view(reinterpret_cast<const char*>(data), size));
    if (!json) return 0;
    for (const auto parse : {&iothub::parse_scope_device, &iothub::parse_scope_module})
        if (const auto identity = parse(*json)) {
            const auto again = parse(to_json(*identity));
            if (!again || to_json(*again) != to_json(*identity)) std::abort();
        }
    return 0;
}
