// Tokens and connection strings from outside.
#include "iothub/sas.hpp"

#include <cstdint>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace skerry;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    static_cast<void>(iothub::parse_connection_string(text));
    const auto token = iothub::parse_sas(text);
    if (!token) return 0;
    static const std::vector<std::string> hosts{"hub"};
    static const auto identity = model::Identity::module("d", "m").value();
    static_cast<void>(iothub::is_signed_with(*token, "key"));
    static_cast<void>(iothub::is_expired(*token, WallTime{}));
    static_cast<void>(iothub::covers(*token, hosts, identity));
    static_cast<void>(iothub::covers_host(*token, hosts));
    return 0;
}
