// User names from clients: what is read can be written, and names the same identity.
#include "iothub/topics.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace skerry;
    const auto name = iothub::parse_user_name(std::string_view(reinterpret_cast<const char*>(data), size));
    if (!name) return 0;
    const auto text = iothub::format_user_name(name->host, name->identity, name->client_type, name->auth_chain);
    const auto again = iothub::parse_user_name(text);
    if (!again || again->identity != name->identity || again->client_type != name->client_type) std::abort();
    return 0;
}
