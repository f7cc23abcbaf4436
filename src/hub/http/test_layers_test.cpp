#include "hub/http/test_layers.hpp"

#include "model/twin.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <boost/json/array.hpp>

#include <algorithm>

namespace skerry::hub::testing {

using namespace std::chrono_literals;
namespace json = boost::json;

namespace {
void add(PaperCloud& cloud, std::string_view id, std::string parent, bool is_edge) {
    auto known = scope_identity(id);
    known.iot_edge = is_edge;
    known.device_scope = is_edge ? fmt::format("scope of {}", id) : parent;
    if (!parent.empty()) known.parent_scopes = {std::move(parent)};
    cloud.identities.push_back(std::move(known));
}

}  // namespace

iothub::ScopeIdentity& known(TestHub& hub, std::string_view id) {
    return *std::ranges::find_if(hub.cloud.identities, [&](const auto& each) { return each.identity.id() == id; });
}

void add_layers(TestHub& hub) {
    auto& cloud = hub.cloud;
    known(hub, edge).device_scope = "scope of edge1";
    add(cloud, "child", "scope of edge1", true);
    add(cloud, "beside", "scope of edge1", false);
    add(cloud, "deep", "scope of child", false);
    add(cloud, "deep2", "scope of child", false);
    add(cloud, "grand", "scope of child", true);
    add(cloud, "far", "scope of grand", false);
    for (const auto* id : {"child/$edgeHub", "child/m", "deep/x", "grand/$edgeHub", "edge1/IoTEdgeAPIProxy"})
        cloud.identities.push_back(scope_identity(id));
}

codec::HttpRequest request_of(std::string method, std::string target, std::string token, std::string body) {
    codec::HttpRequest request;
    request.method = std::move(method);
    request.target = std::move(target);
    if (!token.empty()) request.headers.set("Authorization", std::move(token));
    request.body = std::move(body);
    return request;
}

codec::HttpRequest from_hub(TestHub& hub, std::string_view actor, std::string_view operation, std::string body,
                            std::string method) {
    const auto acting = fmt::format("{}/$edgeHub", actor);
    return request_of(std::move(method),
                      fmt::format("/devices/{}/modules/%24edgeHub/{}?api-version=2020-06-30-preview", actor, operation),
                      hub.token(acting, key_of(acting)), std::move(body));
}

codec::HttpRequest from_device(TestHub& hub, std::string_view device, std::string_view module, std::string method,
                               std::string body) {
    return request_of(std::move(method),
                      fmt::format("/devices/{}/modules{}{}?api-version=2017-11-08-preview", device,
                                  module.empty() ? "" : "/", module),
                      hub.token(device, key_of(device)), std::move(body));
}

json::object object_of(const codec::HttpResponse& response) {
    auto object = model::parse_object(response.body);
    REQUIRE_MESSAGE(object.has_value(), response.body);
    return std::move(*object);
}

Ids ids_of(const json::object& page) {
    Ids ids;
    for (const auto& device : page.at("devices").as_array()) ids.emplace_back(device.at("deviceId").as_string());
    for (const auto& module : page.at("modules").as_array())
        ids.push_back(
            fmt::format("{}/{}", module.at("deviceId").as_string().c_str(), module.at("moduleId").as_string().c_str()));
    return ids;
}

void with_layers(const std::function<Task<>(TestHub& hub)>& body) {
    const auto run = [&body](TestHub& hub) -> Task<> {
        add_layers(hub);
        hub.go_online();
        for (;;) {
            const auto page = co_await hub.ask(from_hub(hub, "child", page_call, R"({"authChain":"grand;child"})"));
            if (page.status == 200 && ids_of(object_of(page)).size() == 3) break;
            co_await hub.clock.sleep(1ms);
        }
        co_await body(hub);
    };
    with_hub(run);
}

}  // namespace skerry::hub::testing
