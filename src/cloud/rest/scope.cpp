// What an edge hub asks about those it acts for (3.3): the nested form (POST) and the old one (GET).
#include "cloud/rest/rest.hpp"

#include "base/encoding.hpp"
#include "cloud/rest/shapes.hpp"
#include "iothub/auth_chain.hpp"

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <algorithm>

namespace skerry::cloud {

namespace json = boost::json;

namespace {
constexpr std::size_t most_in_page = 1000;

iothub::ScopeIdentity scope_identity(const Registration& registration) {
    iothub::ScopeIdentity identity(registration.identity);
    identity.generation_id = registration.generation_id;
    identity.enabled = registration.enabled;
    identity.authentication_type = name_of(registration.authentication.type);
    identity.keys = registration.authentication.keys;
    identity.primary_thumbprint = registration.authentication.primary_thumbprint;
    identity.secondary_thumbprint = registration.authentication.secondary_thumbprint;
    identity.iot_edge = registration.iot_edge;
    identity.device_scope = registration.device_scope;
    if (!registration.parent_scope.empty()) identity.parent_scopes.push_back(registration.parent_scope);
    return identity;
}

json::object scope_answer(const std::vector<Registration>& devices, const std::vector<Registration>& modules,
                          const std::string& link) {
    json::array device_list;
    for (const auto& device : devices) device_list.emplace_back(iothub::to_json(scope_identity(device)));
    json::array module_list;
    for (const auto& module : modules) module_list.emplace_back(iothub::to_json(scope_identity(module)));
    return {{"devices", std::move(device_list)},
            {"modules", std::move(module_list)},
            {"continuationLink", link.empty() ? json::value(nullptr) : json::value(link)}};
}

std::size_t bounded_size(std::int64_t wanted) {
    return wanted <= 0 ? most_in_page : std::min(static_cast<std::size_t>(wanted), most_in_page);
}
}  // namespace

Rest::Reply Rest::scope_page(std::string edge_device, std::string after, std::size_t limit, std::string link) {
    const auto page =
        co_await hub_.ask([&](Stores& stores) { return stores.registry.scope_of(edge_device, after, limit); });
    if (!page) co_return refuse(page.error());
    if (page->next.empty())
        link.clear();
    else
        link += percent_encode(page->next);
    co_return json_answer(scope_answer(page->devices, page->modules, link));
}

// The target; with a module its device too.
Rest::Reply Rest::scope_target(model::Identity target) {
    std::vector<Registration> devices;
    std::vector<Registration> modules;
    const auto found = co_await hub_.ask([&](Stores& stores) -> Outcome<> {
        auto device = stores.registry.find(*model::Identity::device(target.device_id()));
        if (!device) return refuse(device.error());
        devices.push_back(std::move(*device));
        if (!target.is_module()) return {};
        auto module = stores.registry.find(target);
        if (!module) return refuse(module.error());
        modules.push_back(std::move(*module));
        return {};
    });
    if (!found) co_return refuse(found.error());
    co_return json_answer(scope_answer(devices, modules, {}));
}

Rest::Reply Rest::on_scope(const Call& call, model::Identity actor) {
    if (actor.module_id() != "$edgeHub") co_return refuse(no_such_call(call.request));
    if (auto allowed = co_await authorize(call, 0, {actor}); !allowed) co_return refuse(allowed.error());
    const auto& name = call.path[4];
    const auto query = [&](std::string_view key) { return call.request.query(key).value_or(std::string()); };

    if (name == "devicesAndModulesInDeviceScope" && call.is("GET")) {
        const auto limit = call.page_size("deviceCount", most_in_page);
        auto link = fmt::format(
            "/devices/{}/modules/%24edgeHub/devicesAndModulesInDeviceScope?deviceCount={}&api-version={}"
            "&continuationToken=",
            percent_encode(actor.device_id()), limit, percent_encode(query("api-version")));
        co_return co_await scope_page(actor.device_id(), query("continuationToken"), limit, std::move(link));
    }
    std::vector<std::string> chain;
    std::string target_device;
    std::string target_module;
    json::object body;
    if (call.is("POST")) {
        auto parsed = body_object(call.request);
        if (!parsed) co_return refuse(parsed.error());
        body = std::move(*parsed);
        auto read = iothub::parse_auth_chain(text_member(body, "authChain"));
        if (!read) co_return refuse(HubCode::argument_invalid, read.error().text);
        chain = std::move(*read);
        target_device = text_member(body, "targetDeviceId");
        target_module = text_member(body, "targetModuleId");
    } else {
        target_device = query("targetDeviceId");
        target_module = query("targetModuleId");
        chain = {target_device, actor.device_id()};
    }
    const bool own = chain.size() >= 2 && chain.front() == chain.back();
    if (own) chain.erase(chain.begin());
    if (chain.empty() || chain.back() != actor.device_id())
        co_return refuse(HubCode::unauthorized_access, "the auth chain must end with the calling edge device");
    const auto held = co_await hub_.ask([&](Stores& stores) { return stores.registry.check_chain(chain); });
    if (!held) co_return refuse(held.error());

    if (name == "devicesAndModulesInTargetDeviceScope" && call.is("POST")) {
        const auto* size = body.if_contains("pageSize");
        const auto limit = bounded_size(size != nullptr && size->is_int64() ? size->get_int64() : 0);
        // The link is opaque to its reader: here it is the id to continue after.
        auto after = percent_decode(text_member(body, "continuationLink"));
        if (!after) co_return refuse(HubCode::argument_invalid, "continuationLink is none of this hub's");
        co_return co_await scope_page(chain.front(), std::move(*after), limit, {});
    }
    const bool single = (name == "getDeviceAndModuleOnBehalfOf" && call.is("POST")) ||
                        (name == "deviceAndModuleInDeviceScope" && call.is("GET"));
    if (!single) co_return refuse(no_such_call(call.request));
    const auto target = target_module.empty() ? device_of(target_device) : module_of(target_device, target_module);
    if (!target) co_return refuse(target.error());
    // The chain begins with the target, or with the edge device that asks for one of its children.
    if (chain.front() != target->device_id() && chain.front() != target->id()) {
        chain.insert(chain.begin(), target->device_id());
        const auto child = co_await hub_.ask([&](Stores& stores) { return stores.registry.check_chain(chain); });
        if (!child) co_return refuse(child.error());
    }
    co_return co_await scope_target(*target);
}

}  // namespace skerry::cloud
