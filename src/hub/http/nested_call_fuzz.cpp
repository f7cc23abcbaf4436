// Bodies of calls of hubs and devices below: any bytes; what is taken has a chain, or goes on as JSON.
#include "hub/http/nested_call.hpp"

#include "iothub/auth_chain.hpp"
#include "model/twin.hpp"

#include <cstdint>
#include <cstdlib>

using namespace skerry;
using namespace skerry::hub::http;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto page = parse_scope_page(text); page && (page->chain.empty() || page->page_size == 0)) std::abort();
    if (const auto one = parse_scope_one(text); one && one->chain.empty()) std::abort();
    using enum RegistryOperation;
    for (const auto operation : {put, get, list, remove}) {
        for (auto call :
             {parse_registry_call(operation, text), registry_call_of(operation, "device", "module", text)}) {
            if (!call) continue;
            const auto sent = to_cloud(std::move(*call), {"device", "edge"}, "");
            const auto body = model::parse_object(sent.body);
            if (!body || body->at("authChain") != "device;edge") std::abort();
        }
    }
    const auto chain = iothub::parse_auth_chain(text);
    if (chain && iothub::parse_auth_chain(iothub::format_auth_chain(*chain)).value() != *chain) std::abort();
    return 0;
}
