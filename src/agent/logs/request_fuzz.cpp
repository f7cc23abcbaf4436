// What a method is asked for may be anything; a request that is accepted can be asked about any module.
#include "agent/logs/request.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace skerry;
    const auto payload = agent::parse_method_payload(std::string_view(reinterpret_cast<const char*>(data), size));
    if (!payload) return 0;
    const auto request = agent::parse_log_request(*payload);
    if (!request) return 0;
    if (request->items.empty()) std::abort();
    const auto* filter = request->filter_for("edgeAgent");
    if (filter != nullptr && filter->text) static_cast<void>(filter->text->found_in("some line"));
    return 0;
}
