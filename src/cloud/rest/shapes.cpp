#include "cloud/rest/shapes.hpp"

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace skerry::cloud {

namespace json = boost::json;

namespace {
constexpr const char* never = "0001-01-01T00:00:00Z";

json::string time_text(const std::optional<WallTime>& time) {
    return json::string(time ? format_rfc3339(*time, 7) : std::string(never));
}

json::value text_or_null(const std::string& text) { return text.empty() ? json::value(nullptr) : json::value(text); }

const char* state_text(const Presence& presence) { return presence.connected ? "Connected" : "Disconnected"; }

json::object thumbprints(const Authentication& authentication) {
    return {{"primaryThumbprint", text_or_null(authentication.primary_thumbprint)},
            {"secondaryThumbprint", text_or_null(authentication.secondary_thumbprint)}};
}

json::object authentication_json(const Authentication& authentication) {
    return {{"symmetricKey",
             {{"primaryKey", text_or_null(authentication.keys.primary)},
              {"secondaryKey", text_or_null(authentication.keys.secondary)}}},
            {"x509Thumbprint", thumbprints(authentication)},
            {"type", json::string(name_of(authentication.type))}};
}

void put_common(json::object& object, const Registration& of, const Presence& presence) {
    object["generationId"] = of.generation_id;
    object["etag"] = of.etag;
    object["connectionState"] = state_text(presence);
    object["connectionStateUpdatedTime"] = time_text(presence.changed);
    object["lastActivityTime"] = time_text(presence.last_activity);
    object["cloudToDeviceMessageCount"] = 0;
    object["authentication"] = authentication_json(of.authentication);
}

void put_scopes(json::object& object, const Registration& device) {
    if (!device.device_scope.empty()) object["deviceScope"] = device.device_scope;
    json::array parents;
    if (!device.parent_scope.empty()) parents.emplace_back(device.parent_scope);
    object["parentScopes"] = std::move(parents);
}
}  // namespace

json::object device_json(const Registration& device, const Presence& presence) {
    json::object object{{"deviceId", device.identity.device_id()}};
    put_common(object, device, presence);
    object["status"] = device.enabled ? "enabled" : "disabled";
    object["statusReason"] = text_or_null(device.status_reason);
    object["statusUpdatedTime"] = time_text(device.status_updated);
    object["capabilities"] = {{"iotEdge", device.iot_edge}};
    put_scopes(object, device);
    return object;
}

json::object module_json(const Registration& module, const Presence& presence) {
    json::object object{{"moduleId", module.identity.module_id()},
                        {"deviceId", module.identity.device_id()},
                        {"managedBy", text_or_null(module.managed_by)}};
    put_common(object, module, presence);
    return object;
}

json::object twin_json(const Twin& twin, const Registration& owner, const Registration& device,
                       const Presence& presence) {
    json::object object{{"deviceId", twin.identity.device_id()}};
    if (twin.identity.is_module()) object["moduleId"] = twin.identity.module_id();
    object["etag"] = twin.etag();
    object["deviceEtag"] = owner.etag;
    object["status"] = device.enabled ? "enabled" : "disabled";
    object["statusUpdateTime"] = time_text(device.status_updated);
    object["connectionState"] = state_text(presence);
    object["lastActivityTime"] = time_text(presence.last_activity);
    object["cloudToDeviceMessageCount"] = 0;
    object["authenticationType"] = name_of(owner.authentication.type);
    object["x509Thumbprint"] = thumbprints(owner.authentication);
    object["modelId"] = "";
    object["version"] = twin.version;
    object["tags"] = twin.tags;
    object["properties"] = {{"desired", service_view(twin.desired)}, {"reported", service_view(twin.reported)}};
    if (!twin.identity.is_module()) {
        object["capabilities"] = {{"iotEdge", device.iot_edge}};
        put_scopes(object, device);
    }
    return object;
}

std::string method_answer_text(const MethodAnswer& answer) {
    json::error_code error;
    const auto parsed = json::parse(answer.payload.empty() ? std::string_view("null") : answer.payload, error);
    // What is no JSON becomes a JSON text, so that the caller can read the status at least.
    auto payload = answer.payload.empty() ? std::string("null") : answer.payload;
    if (error) payload = json::serialize(json::string(answer.payload));
    return fmt::format(R"({{"status":{},"payload":{}}})", answer.status, payload);
}

}  // namespace skerry::cloud
