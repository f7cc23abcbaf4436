// Module identities of devices below an edge device, which its hub asks for on their behalf (3.3).
#include "cloud/rest/rest.hpp"

#include "cloud/rest/shapes.hpp"
#include "iothub/auth_chain.hpp"

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>

namespace skerry::cloud {

namespace json = boost::json;

namespace {
constexpr std::string_view put = "putModuleOnBehalfOf";
constexpr std::string_view get = "getModuleOnBehalfOf";
constexpr std::string_view list = "getModulesOnTargetDevice";
constexpr std::string_view remove = "deleteModuleOnBehalfOf";
}  // namespace

bool is_on_behalf(std::string_view operation) {
    static constexpr std::array all{put, get, list, remove};
    return std::ranges::find(all, operation) != all.end();
}

Rest::Reply Rest::on_behalf(const Call& call, model::Identity actor) {
    const auto& operation = call.path[4];
    if (actor.module_id() != "$edgeHub") co_return refuse(no_such_call(call.request));
    if (auto allowed = co_await authorize(call, 0, {actor}); !allowed) co_return refuse(allowed.error());
    if (!call.is(operation == put ? "PUT" : "POST")) co_return refuse(wrong_method(call.request));
    const auto body = body_object(call.request);
    if (!body) co_return refuse(body.error());
    const auto chain = iothub::parse_auth_chain(text_member(*body, "authChain"));
    if (!chain) co_return refuse(HubCode::argument_invalid, chain.error().text);
    if (chain->empty() || chain->back() != actor.device_id())
        co_return refuse(HubCode::unauthorized_access, "the authChain must end with the calling edge device");
    const auto held = co_await hub_.ask([&](Stores& stores) { return stores.registry.check_chain(*chain); });
    if (!held) co_return refuse(held.error());
    const auto device = device_of(chain->front());
    if (!device) co_return refuse(HubCode::argument_invalid, "the authChain must begin with a device");

    if (operation == list) co_return co_await module_list(*device);
    const auto* const given = body->if_contains("module");
    const bool has_module = given != nullptr && given->is_object();
    if (operation == put && !has_module) co_return refuse(HubCode::argument_invalid, "the body has no module");
    const auto id = operation == put ? text_member(given->get_object(), "moduleId")
                                     : text_member(*body, operation == get ? "targetModuleId" : "moduleId");
    const auto module = module_of(device->device_id(), id);
    if (!module) co_return refuse(module.error());
    if (operation == get) co_return co_await identity_found(*module);
    // A hub that is asked to delete has no If-Match to pass on where its client gave none.
    if (operation == remove) co_return co_await identity_removed(*module, call.if_match());
    co_return co_await identity_put(*module, given->get_object(), call.if_match());
}

}  // namespace skerry::cloud
