// Bodies of REST requests -> values; what is of the wrong kind is named.
#include "cloud/rest/shapes.hpp"

#include "base/encoding.hpp"

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace skerry::cloud {

namespace json = boost::json;

namespace {
// Collects what a body holds; the first member of a wrong kind is the fault.
class Members {
public:
    Members(const json::object& object, std::string path) : object_(object), path_(std::move(path)) {}

    void text(std::string_view name, std::optional<std::string>& out) {
        const auto* member = find(name);
        if (member == nullptr) return;
        if (member->is_string())
            out = std::string(member->get_string());
        else
            wrong(name, "a text");
    }
    void flag(std::string_view name, std::optional<bool>& out) {
        const auto* member = find(name);
        if (member == nullptr) return;
        if (member->is_bool())
            out = member->get_bool();
        else
            wrong(name, "true or false");
    }
    void object(std::string_view name, std::optional<json::object>& out) {
        const auto* member = find(name);
        if (member == nullptr) return;
        if (member->is_object())
            out = member->get_object();
        else
            wrong(name, "an object");
    }
    void texts(std::string_view name, std::optional<std::vector<std::string>>& out) {
        const auto* member = find(name);
        if (member == nullptr) return;
        if (!member->is_array()) return wrong(name, "an array of texts");
        out.emplace();
        for (const auto& element : member->get_array()) {
            if (!element.is_string()) return wrong(name, "an array of texts");
            out->emplace_back(element.get_string());
        }
    }
    void seconds(std::string_view name, int least, int most, Duration& out) {
        const auto* member = find(name);
        if (member == nullptr) return;
        json::error_code error;
        const auto value = member->to_number<std::int64_t>(error);
        if (error || value < least || value > most)
            return wrong(name, fmt::format("a number of seconds from {} to {}", least, most));
        out = std::chrono::seconds(value);
    }
    void wrong(std::string_view name, std::string_view expected) {
        if (!fault_) fault_ = Fault{HubCode::argument_invalid, fmt::format("{}{} must be {}", path_, name, expected)};
    }
    [[nodiscard]] const std::optional<Fault>& fault() const { return fault_; }

private:
    const json::value* find(std::string_view name) const {
        const auto* member = object_.if_contains(name);
        return member == nullptr || member->is_null() ? nullptr : member;
    }

    const json::object& object_;
    std::string path_;
    std::optional<Fault> fault_;
};

std::optional<Fault> parse_authentication(const json::object& body, RegistrationChange& change) {
    Members members(body, "authentication.");
    std::optional<std::string> type;
    std::optional<json::object> keys;
    std::optional<json::object> thumbprints;
    members.text("type", type);
    members.object("symmetricKey", keys);
    members.object("x509Thumbprint", thumbprints);
    if (type) {
        change.type = parse_authentication_type(*type);
        if (!change.type) members.wrong("type", "sas, selfSigned, certificateAuthority or none");
    }
    if (members.fault()) return members.fault();
    if (keys) {
        Members of_keys(*keys, "authentication.symmetricKey.");
        of_keys.text("primaryKey", change.primary_key);
        of_keys.text("secondaryKey", change.secondary_key);
        if (of_keys.fault()) return of_keys.fault();
    }
    if (thumbprints) {
        Members of_thumbprints(*thumbprints, "authentication.x509Thumbprint.");
        of_thumbprints.text("primaryThumbprint", change.primary_thumbprint);
        of_thumbprints.text("secondaryThumbprint", change.secondary_thumbprint);
        if (of_thumbprints.fault()) return of_thumbprints.fault();
        const bool has_thumbprint = (change.primary_thumbprint && !change.primary_thumbprint->empty()) ||
                                    (change.secondary_thumbprint && !change.secondary_thumbprint->empty());
        // Older clients send thumbprints without a type.
        if (!change.type && has_thumbprint) change.type = AuthenticationType::self_signed;
    }
    return std::nullopt;
}
}  // namespace

Outcome<RegistrationChange> parse_registration(const json::object& body, const model::Identity& identity) {
    Members members(body, "");
    RegistrationChange change;
    std::optional<std::string> device_id;
    std::optional<std::string> module_id;
    std::optional<std::string> status;
    std::optional<json::object> authentication;
    std::optional<json::object> capabilities;
    members.text("deviceId", device_id);
    members.text("moduleId", module_id);
    members.text("status", status);
    members.text("statusReason", change.status_reason);
    members.text("deviceScope", change.device_scope);
    members.texts("parentScopes", change.parent_scopes);
    members.text("managedBy", change.managed_by);
    members.object("authentication", authentication);
    members.object("capabilities", capabilities);
    if (device_id && *device_id != identity.device_id()) members.wrong("deviceId", "the one of the path");
    if (module_id && *module_id != identity.module_id()) members.wrong("moduleId", "the one of the path");
    if (status && !equals_ignoring_case(*status, "enabled") && !equals_ignoring_case(*status, "disabled"))
        members.wrong("status", "enabled or disabled");
    if (members.fault()) return refuse(*members.fault());
    if (status) change.enabled = equals_ignoring_case(*status, "enabled");
    if (capabilities) {
        Members of_capabilities(*capabilities, "capabilities.");
        of_capabilities.flag("iotEdge", change.iot_edge);
        if (of_capabilities.fault()) return refuse(*of_capabilities.fault());
    }
    if (authentication)
        if (const auto fault = parse_authentication(*authentication, change)) return refuse(*fault);
    return change;
}

Outcome<TwinChange> parse_twin_change(const json::object& body) {
    Members members(body, "");
    TwinChange change;
    std::optional<json::object> properties;
    members.object("tags", change.tags);
    members.object("properties", properties);
    if (members.fault()) return refuse(*members.fault());
    if (properties) {
        Members of_properties(*properties, "properties.");
        of_properties.object("desired", change.desired);
        if (of_properties.fault()) return refuse(*of_properties.fault());
    }
    return change;
}

Outcome<MethodCall> parse_method_call(const json::object& body) {
    Members members(body, "");
    MethodCall call;
    std::optional<std::string> name;
    members.text("methodName", name);
    members.seconds("connectTimeoutInSeconds", 0, 300, call.connect_limit);
    members.seconds("responseTimeoutInSeconds", 5, 300, call.response_limit);
    if (!name || name->empty() || name->size() > 100 || name->find_first_of("/+#?&") != std::string::npos)
        members.wrong("methodName", "a text of 1 to 100 bytes without / + # ? &");
    if (members.fault()) return refuse(*members.fault());
    call.name = std::move(*name);
    if (const auto* payload = body.if_contains("payload")) call.payload = json::serialize(*payload);
    return call;
}

}  // namespace skerry::cloud
