// The devices and modules of the scope calls <-> values (iot-hub-wire.md 2.3, 3.3).
#include "iothub/registry_client.hpp"

#include <fmt/core.h>
#include <boost/json/array.hpp>

#include <string_view>
#include <utility>

namespace skerry::iothub {

namespace json = boost::json;

namespace {
constexpr std::size_t most_parents = 100;

// Text, or nothing for null, absent and other kinds.
std::string text_or_empty(const json::object& object, std::string_view name) {
    const auto* member = object.if_contains(name);
    if (member == nullptr || !member->is_string()) return {};
    return std::string(std::string_view(member->get_string()));
}

const json::object* object_or_null(const json::object& object, std::string_view name) {
    const auto* member = object.if_contains(name);
    return member != nullptr && member->is_object() ? &member->get_object() : nullptr;
}

Result<> read_authentication(const json::object& from, ScopeIdentity& identity) {
    const auto* authentication = object_or_null(from, "authentication");
    if (authentication == nullptr) return fail(Errc::malformed, "'authentication' must be an object");
    identity.authentication_type = text_or_empty(*authentication, "type");
    if (identity.authentication_type.empty()) identity.authentication_type = "sas";
    if (const auto* keys = object_or_null(*authentication, "symmetricKey"))
        identity.keys = {text_or_empty(*keys, "primaryKey"), text_or_empty(*keys, "secondaryKey")};
    if (const auto* thumbprints = object_or_null(*authentication, "x509Thumbprint")) {
        identity.primary_thumbprint = text_or_empty(*thumbprints, "primaryThumbprint");
        identity.secondary_thumbprint = text_or_empty(*thumbprints, "secondaryThumbprint");
    }
    return {};
}

json::object authentication_of(const ScopeIdentity& identity) {
    json::object authentication{{"type", identity.authentication_type}};
    authentication["symmetricKey"] =
        json::object{{"primaryKey", identity.keys.primary}, {"secondaryKey", identity.keys.secondary}};
    const auto text_or_null = [](const std::string& text) { return text.empty() ? json::value() : json::value(text); };
    authentication["x509Thumbprint"] =
        json::object{{"primaryThumbprint", text_or_null(identity.primary_thumbprint)},
                     {"secondaryThumbprint", text_or_null(identity.secondary_thumbprint)}};
    return authentication;
}

void read_scopes(const json::object& from, ScopeIdentity& identity) {
    identity.device_scope = text_or_empty(from, "deviceScope");
    const auto* parents = from.if_contains("parentScopes");
    if (parents == nullptr || !parents->is_array()) return;
    for (const auto& parent : parents->get_array()) {
        if (identity.parent_scopes.size() == most_parents) return;
        if (parent.is_string()) identity.parent_scopes.emplace_back(std::string_view(parent.get_string()));
    }
}
}  // namespace

Result<ScopeIdentity> parse_scope_device(const json::object& json) {
    auto id = model::Identity::device(text_or_empty(json, "deviceId"));
    if (!id) return fail(id.error().while_doing("reading 'deviceId'"));
    ScopeIdentity identity(std::move(*id));
    identity.generation_id = text_or_empty(json, "generationId");
    // Only "enabled" is: what we don't understand must not let anybody in.
    identity.enabled = text_or_empty(json, "status") == "enabled";
    if (const auto read = read_authentication(json, identity); !read) return fail(read.error());
    if (const auto* capabilities = object_or_null(json, "capabilities")) {
        const auto* edge = capabilities->if_contains("iotEdge");
        identity.iot_edge = edge != nullptr && edge->is_bool() && edge->get_bool();
    }
    read_scopes(json, identity);
    return identity;
}

Result<ScopeIdentity> parse_scope_module(const json::object& json) {
    auto id = model::Identity::module(text_or_empty(json, "deviceId"), text_or_empty(json, "moduleId"));
    if (!id) return fail(id.error().while_doing("reading 'deviceId' and 'moduleId'"));
    ScopeIdentity identity(std::move(*id));
    identity.generation_id = text_or_empty(json, "generationId");
    if (const auto read = read_authentication(json, identity); !read) return fail(read.error());
    return identity;
}

json::object to_json(const ScopeIdentity& identity) {
    json::object json{{"deviceId", identity.identity.device_id()}, {"generationId", identity.generation_id}};
    json["authentication"] = authentication_of(identity);
    if (identity.identity.is_module()) {
        json["moduleId"] = identity.identity.module_id();
        return json;
    }
    json["status"] = identity.enabled ? "enabled" : "disabled";
    json["capabilities"] = json::object{{"iotEdge", identity.iot_edge}};
    json["deviceScope"] = identity.device_scope;
    json["parentScopes"] = json::array(identity.parent_scopes.begin(), identity.parent_scopes.end());
    return json;
}

}  // namespace skerry::iothub
