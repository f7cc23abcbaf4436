// Layers below a hub for its tests: edge1 (this one) <- child <- grand, each with leaves, and what they ask over HTTPS.
#pragma once

#include "codec/http.hpp"
#include "hub/test_hub.hpp"

#include <boost/json/object.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::hub::testing {

inline constexpr std::string_view page_call = "devicesAndModulesInTargetDeviceScope";
inline constexpr std::string_view one_call = "getDeviceAndModuleOnBehalfOf";

// As the cloud has it; must be there.
[[nodiscard]] iothub::ScopeIdentity& known(TestHub& hub, std::string_view id);
void add_layers(TestHub& hub);
// With the layers, and the hub knows them.
void with_layers(const std::function<Task<>(TestHub& hub)>& body);

[[nodiscard]] codec::HttpRequest request_of(std::string method, std::string target, std::string token = {},
                                            std::string body = {});
// Of the hub of `actor`, with its token.
[[nodiscard]] codec::HttpRequest from_hub(TestHub& hub, std::string_view actor, std::string_view operation,
                                          std::string body, std::string method = "POST");
// Of a device about its modules, with its token.
[[nodiscard]] codec::HttpRequest from_device(TestHub& hub, std::string_view device, std::string_view module = {},
                                             std::string method = "GET", std::string body = {});

[[nodiscard]] boost::json::object object_of(const codec::HttpResponse& response);
using Ids = std::vector<std::string>;
// The devices of a scope's page, then its modules.
[[nodiscard]] Ids ids_of(const boost::json::object& page);

}  // namespace skerry::hub::testing
