// What an edge hub below asks, as it writes it (edge-hub.md 3.3, 3.4), and what a device asks about its own modules.
//
// Bounds: an auth chain of 16 ids, a page of 100 devices, a nesting of 64 (and the head's size of a body).
#pragma once

#include "base/result.hpp"
#include "iothub/registry_client.hpp"
#include "model/identity.hpp"

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::hub::http {

// Errc::malformed everywhere: the text goes to the caller.

struct ScopePageCall {
    std::vector<std::string> chain;  // from the edge device whose scope is asked for
    std::size_t page_size;
    std::string after;
};
[[nodiscard]] Result<ScopePageCall> parse_scope_page(std::string_view body);

struct ScopeOneCall {
    model::Identity target;
    std::vector<std::string> chain;  // from the target, or from the edge device that asks for it
};
[[nodiscard]] Result<ScopeOneCall> parse_scope_one(std::string_view body);

// One of the four operations on module identities of the device that the chain begins with.
enum class RegistryOperation { put, get, list, remove };
[[nodiscard]] std::optional<RegistryOperation> registry_operation(std::string_view name);
struct RegistryCall {
    RegistryOperation operation;
    std::vector<std::string> chain;
    boost::json::object body;  // without the chain
};
// As an edge hub writes it.
[[nodiscard]] Result<RegistryCall> parse_registry_call(RegistryOperation operation, std::string_view body);
// As a device writes it; the body counts for put only, and must not speak of another module. The chain is empty.
[[nodiscard]] Result<RegistryCall> registry_call_of(RegistryOperation operation, const std::string& device,
                                                    const std::string& module, std::string_view body);
// What goes on to the cloud, in the name of `chain`.
[[nodiscard]] iothub::OnBehalfCall to_cloud(RegistryCall call, const std::vector<std::string>& chain,
                                            std::string if_match);

}  // namespace skerry::hub::http
