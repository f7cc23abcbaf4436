#include "hub/http/nested_call.hpp"

#include "iothub/auth_chain.hpp"
#include "model/twin.hpp"

#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace skerry::hub::http {

namespace json = boost::json;

namespace {

constexpr std::size_t largest_page = 100;

struct Operation {
    RegistryOperation operation;
    std::string_view name;
    std::string_view method;
    std::string_view member;  // what its body must have besides the chain
};
constexpr std::array<Operation, 4> operations{{
    {RegistryOperation::put, "putModuleOnBehalfOf", "PUT", "module"},
    {RegistryOperation::get, "getModuleOnBehalfOf", "POST", "targetModuleId"},
    {RegistryOperation::list, "getModulesOnTargetDevice", "POST", ""},
    {RegistryOperation::remove, "deleteModuleOnBehalfOf", "POST", "moduleId"},
}};

const Operation& about(RegistryOperation operation) {
    return *std::ranges::find(operations, operation, &Operation::operation);
}

Result<json::object> parse_body(std::string_view body) {
    auto object = model::parse_object(body);
    if (!object) return fail(Errc::malformed, "the request's body must be a JSON object: " + object.error().text);
    return object;
}

// Absent and null are the same: nullopt.
Result<std::optional<std::string>> text_of(const json::object& body, std::string_view member) {
    const auto* const value = body.if_contains(member);
    if (!value || value->is_null()) return std::optional<std::string>{};
    if (!value->is_string()) return fail(Errc::malformed, fmt::format("{} must be text", member));
    return std::optional(std::string(std::string_view(value->get_string())));
}

Result<std::vector<std::string>> chain_of(const json::object& body) {
    const auto text = text_of(body, "authChain");
    if (!text) return fail(text.error());
    auto chain = iothub::parse_auth_chain(text->value_or(""));
    if (!chain) return fail(chain.error());
    if (chain->empty()) return fail(Errc::malformed, "the body must have an authChain");
    return chain;
}

Result<std::size_t> page_size_of(const json::object& body) {
    const auto* const value = body.if_contains("pageSize");
    if (!value || value->is_null()) return largest_page;
    const auto size = value->is_int64() ? value->get_int64() : 0;
    if (size < 1) return fail(Errc::malformed, "pageSize must be a whole number, 1 or more");
    return static_cast<std::size_t>(std::min<std::int64_t>(size, largest_page));
}

Result<> check_module(const json::object& module, const std::string& device, std::string_view id) {
    for (const auto& [member, wanted] : {std::pair("moduleId", id), std::pair("deviceId", std::string_view(device))}) {
        const auto text = text_of(module, member);
        if (!text) return fail(text.error());
        if (*text && **text != wanted)
            return fail(Errc::malformed, fmt::format("{} is '{}', but the path says '{}'", member, **text, wanted));
    }
    return {};
}

Result<> check_member(const Operation& operation, const json::object& body) {
    const auto* const value = operation.member.empty() ? nullptr : body.if_contains(operation.member);
    if (operation.operation == RegistryOperation::put) {
        if (!value || !value->is_object()) return fail(Errc::malformed, "the body must have a module");
        return {};
    }
    if (!operation.member.empty() &&
        (!value || !value->is_string() || !model::is_valid_id(std::string_view(value->get_string()))))
        return fail(Errc::malformed, fmt::format("the body must have {}, a module's name", operation.member));
    return {};
}

}  // namespace

Result<ScopePageCall> parse_scope_page(std::string_view body) {
    const auto object = parse_body(body);
    if (!object) return fail(object.error());
    auto chain = chain_of(*object);
    if (!chain) return fail(chain.error());
    if (chain->front().contains('/')) return fail(Errc::malformed, "the authChain must begin with a device");
    const auto size = page_size_of(*object);
    if (!size) return fail(size.error());
    // Written by us, as the last id of the page before.
    auto after = text_of(*object, "continuationLink");
    if (!after) return fail(after.error());
    if (*after && !(*after)->empty() && !model::is_valid_id(**after))
        return fail(Errc::malformed, "continuationLink is none of this hub's");
    return ScopePageCall{std::move(*chain), *size, after->value_or("")};
}

Result<ScopeOneCall> parse_scope_one(std::string_view body) {
    const auto object = parse_body(body);
    if (!object) return fail(object.error());
    auto chain = chain_of(*object);
    if (!chain) return fail(chain.error());
    const auto device = text_of(*object, "targetDeviceId");
    if (!device) return fail(device.error());
    const auto module = text_of(*object, "targetModuleId");
    if (!module) return fail(module.error());
    auto target = module->value_or("").empty() ? model::Identity::device(device->value_or(""))
                                               : model::Identity::module(device->value_or(""), module->value_or(""));
    if (!target) return fail(Errc::malformed, "targetDeviceId, targetModuleId: " + target.error().text);
    return ScopeOneCall{std::move(*target), std::move(*chain)};
}

std::optional<RegistryOperation> registry_operation(std::string_view name) {
    const auto* const found = std::ranges::find(operations, name, &Operation::name);
    if (found == operations.end()) return std::nullopt;
    return found->operation;
}

Result<RegistryCall> parse_registry_call(RegistryOperation operation, std::string_view body) {
    auto object = parse_body(body);
    if (!object) return fail(object.error());
    auto chain = chain_of(*object);
    if (!chain) return fail(chain.error());
    if (chain->front().contains('/')) return fail(Errc::malformed, "the authChain must begin with a device");
    if (auto fits = check_member(about(operation), *object); !fits) return fail(fits.error());
    object->erase("authChain");
    return RegistryCall{operation, std::move(*chain), std::move(*object)};
}

Result<RegistryCall> registry_call_of(RegistryOperation operation, const std::string& device, const std::string& module,
                                      std::string_view body) {
    RegistryCall call{operation, {}, {}};
    if (operation == RegistryOperation::list) return call;
    if (!model::is_valid_id(module)) return fail(Errc::malformed, "the path has no module's name that can be one");
    if (operation != RegistryOperation::put) {
        call.body[about(operation).member] = module;
        return call;
    }
    auto object = parse_body(body);
    if (!object) return fail(object.error());
    if (auto fits = check_module(*object, device, module); !fits) return fail(fits.error());
    (*object)["moduleId"] = module;
    (*object)["deviceId"] = device;
    call.body["module"] = std::move(*object);
    return call;
}

iothub::OnBehalfCall to_cloud(RegistryCall call, const std::vector<std::string>& chain, std::string if_match) {
    const auto& operation = about(call.operation);
    call.body["authChain"] = iothub::format_auth_chain(chain);
    return {.method = std::string(operation.method),
            .operation = std::string(operation.name),
            .body = json::serialize(call.body),
            .if_match = std::move(if_match)};
}

}  // namespace skerry::hub::http
