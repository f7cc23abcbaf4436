// Devices and modules: read, list, create, change, delete (2.2, 3.2).
#include "cloud/rest/rest.hpp"

#include "base/encoding.hpp"
#include "cloud/rest/shapes.hpp"

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

namespace skerry::cloud {

namespace json = boost::json;

namespace {
constexpr std::size_t most_listed = 1000;
constexpr std::size_t most_in_bulk = 100;
}  // namespace

json::object Rest::identity_view(const Registration& registration) {
    const auto presence = hub_.connections().presence(registration.identity);
    return registration.identity.is_module() ? module_json(registration, presence)
                                             : device_json(registration, presence);
}

Rest::Reply Rest::list_devices(const Call& call) {
    if (auto allowed = co_await authorize(call, registry_read); !allowed) co_return refuse(allowed.error());
    const auto by_top = call.page_size("top", most_listed);
    const auto limit = call.request.query("top") ? by_top : call.page_size("maxCount", most_listed);
    const auto devices = co_await hub_.ask([&](Stores& stores) { return stores.registry.devices("", limit); });
    if (!devices) co_return refuse(devices.error());
    json::array list;
    for (const auto& device : *devices) list.emplace_back(identity_view(device));
    co_return json_answer(list);
}

Rest::Reply Rest::statistics(const Call& call) {
    if (!call.is("GET")) co_return refuse(wrong_method(call.request));
    if (auto allowed = co_await authorize(call, registry_read); !allowed) co_return refuse(allowed.error());
    if (call.path[1] == "service")
        co_return json_answer(json::object{{"connectedDeviceCount", hub_.connections().connected_devices()}});
    if (call.path[1] != "devices") co_return refuse(no_such_call(call.request));
    const auto counts = co_await hub_.ask([](Stores& stores) { return stores.registry.count(); });
    if (!counts) co_return refuse(counts.error());
    co_return json_answer(json::object{{"totalDeviceCount", counts->total},
                                       {"enabledDeviceCount", counts->enabled},
                                       {"disabledDeviceCount", counts->total - counts->enabled}});
}

Rest::Reply Rest::on_device(const Call& call, model::Identity device) {
    const auto rights = call.is("GET") ? registry_read : registry_write;
    if (auto allowed = co_await authorize(call, rights); !allowed) co_return refuse(allowed.error());
    co_return co_await on_identity(call, std::move(device));
}

Rest::Reply Rest::on_module(const Call& call, model::Identity module) {
    const auto rights = call.is("GET") ? registry_read : registry_write;
    auto device = device_of(module.device_id());
    if (!device) co_return refuse(device.error());
    if (auto allowed = co_await authorize(call, rights, {std::move(*device)}); !allowed)
        co_return refuse(allowed.error());
    co_return co_await on_identity(call, std::move(module));
}

Rest::Reply Rest::list_modules(const Call& call, model::Identity device) {
    if (!call.is("GET")) co_return refuse(wrong_method(call.request));
    if (auto allowed = co_await authorize(call, registry_read, {device}); !allowed) co_return refuse(allowed.error());
    co_return co_await module_list(std::move(device));
}

Rest::Reply Rest::module_list(model::Identity device) {
    const auto modules = co_await hub_.ask([&](Stores& stores) -> Outcome<std::vector<Registration>> {
        if (const auto known = stores.registry.find(device); !known) return refuse(known.error());
        return stores.registry.modules(device.device_id());
    });
    if (!modules) co_return refuse(modules.error());
    json::array list;
    for (const auto& module : *modules) list.emplace_back(identity_view(module));
    co_return json_answer(list);
}

Rest::Reply Rest::on_identity(const Call& call, model::Identity identity) {
    if (call.is("GET")) co_return co_await identity_found(std::move(identity));
    if (call.is("DELETE")) co_return co_await identity_removed(std::move(identity), call.if_match());
    if (!call.is("PUT")) co_return refuse(wrong_method(call.request));
    auto body = body_object(call.request);
    if (!body) co_return refuse(body.error());
    co_return co_await identity_put(std::move(identity), std::move(*body), call.if_match());
}

Rest::Reply Rest::identity_found(model::Identity identity) {
    const auto found = co_await hub_.ask([&](Stores& stores) { return stores.registry.find(identity); });
    if (!found) co_return refuse(found.error());
    co_return identity_answer(*found);
}

Rest::Reply Rest::identity_removed(model::Identity identity, IfMatch if_match) {
    const auto removed = co_await hub_.remove(std::move(identity), std::move(if_match));
    if (!removed) co_return refuse(removed.error());
    co_return no_content();
}

Rest::Reply Rest::identity_put(model::Identity identity, json::object body, IfMatch if_match) {
    auto change = parse_registration(body, identity);
    if (!change) co_return refuse(change.error());
    const auto put = co_await hub_.put(std::move(identity), std::move(*change), std::move(if_match));
    if (!put) co_return refuse(put.error());
    co_return identity_answer(*put);
}

Answer Rest::identity_answer(const Registration& registration) {
    auto answer = json_answer(identity_view(registration));
    answer.headers.emplace_back("ETag", fmt::format("\"{}\"", registration.etag));
    return answer;
}

namespace {
// One element of POST /devices: what to do with which device.
struct BulkItem {
    model::Identity identity;
    RegistrationChange change;
    IfMatch if_match;
    bool removes{false};
};

Outcome<BulkItem> parse_bulk_item(const json::value& value) {
    if (!value.is_object()) return refuse(HubCode::argument_invalid, "each element must be an object");
    const auto& object = value.get_object();
    auto identity = device_of(text_member(object, "id"));
    if (!identity) return refuse(identity.error());
    BulkItem item{.identity = *identity, .change = {}, .if_match = "*"};
    const auto mode = to_lower(text_member(object, "importMode"));
    auto etag = text_member(object, "eTag");
    if (etag.empty()) etag = text_member(object, "etag");
    item.removes = mode.starts_with("delete");
    if (mode.ends_with("ifmatchetag")) item.if_match = etag;
    if (mode == "create") item.if_match.reset();
    const bool known = mode == "create" || mode == "update" || mode == "updateifmatchetag" || mode == "delete" ||
                       mode == "deleteifmatchetag";
    if (!known) return refuse(HubCode::argument_invalid, fmt::format("importMode '{}' is not offered", mode));
    auto change = parse_registration(object, *identity);
    if (!change) return refuse(change.error());
    item.change = std::move(*change);
    return item;
}
}  // namespace

Rest::Reply Rest::change_devices(const Call& call) {
    if (auto allowed = co_await authorize(call, registry_write); !allowed) co_return refuse(allowed.error());
    json::error_code error;
    const auto body = json::parse(call.request.body, error);
    if (error || !body.is_array() || body.get_array().size() > most_in_bulk)
        co_return refuse(HubCode::format_error,
                         fmt::format("the body must be an array of {} devices at most", most_in_bulk));
    json::array errors;
    for (const auto& value : body.get_array()) {
        const auto item = parse_bulk_item(value);
        std::optional<Fault> fault;
        if (!item) {
            fault = item.error();
        } else if (item->removes) {
            if (const auto removed = co_await hub_.remove(item->identity, item->if_match); !removed)
                fault = removed.error();
        } else {
            if (const auto put = co_await hub_.put(item->identity, item->change, item->if_match); !put)
                fault = put.error();
        }
        if (!fault) continue;
        errors.push_back(json::object{{"deviceId", item ? item->identity.device_id() : ""},
                                      {"errorCode", static_cast<std::uint32_t>(fault->code)},
                                      {"errorStatus", fault->text}});
    }
    const bool all = errors.empty();
    auto answer =
        json_answer(json::object{{"isSuccessful", all}, {"errors", std::move(errors)}, {"warnings", json::array()}});
    co_return answer;
}

}  // namespace skerry::cloud
