// Properties in the last segment of a topic (edge-hub.md 1.7, iot-hub-wire.md 1.2).
#include "base/encoding.hpp"
#include "iothub/topics.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace skerry::iothub {

namespace {
struct SystemName {
    std::string_view wire;
    std::string_view internal;
    bool to_hub;     // clients may say it
    bool to_client;  // hubs may say it
};

// The order is the order on the wire.
constexpr std::array system_names{
    SystemName{"$.on", "outputName", true, false},
    SystemName{"$.exp", "absolute-expiry-time", true, true},
    SystemName{"$.cid", "cid", true, true},
    SystemName{"$.mid", "messageId", true, true},
    SystemName{"$.to", "to", true, true},
    SystemName{"$.uid", "userId", true, true},
    SystemName{"ack", "ack", true, true},
    SystemName{"$.ct", "contentType", true, true},
    SystemName{"$.ce", "contentEncoding", true, true},
    SystemName{"$.schema", "messageSchema", true, true},
    SystemName{"iothub-operation", "operation", true, true},
    SystemName{"$.ctime", "creationTime", true, true},
    SystemName{"$.sub", "dt-subject", true, true},
    SystemName{"$.ifid", "iothub-interface-id", true, false},
    SystemName{"$.cdid", "connectionDeviceId", false, true},
    SystemName{"$.cmid", "connectionModuleId", false, true},
};

bool goes(const SystemName& name, Direction direction) {
    return direction == Direction::to_hub ? name.to_hub : name.to_client;
}

// An escape that is none stays as it is written, as the existing hub reads it.
std::string decoded(std::string_view text) { return percent_decode(text).value_or(std::string(text)); }

void append(std::string& out, std::string_view name, const std::optional<std::string>& value) {
    if (name.empty()) return;  // has no form on the wire
    if (!out.empty()) out += '&';
    out += percent_encode(name);
    if (!value) return;
    out += '=';
    out += percent_encode(*value);
}

// A twin change notification goes under the name of whose twin it was.
const std::optional<std::string>* system_value(const model::Message& message, std::string_view internal,
                                               Direction direction) {
    const std::optional<std::string>* sender = nullptr;
    if (direction == Direction::to_client && internal == "connectionDeviceId")
        sender = model::find(message.system, "rpSenderDeviceId");
    if (direction == Direction::to_client && internal == "connectionModuleId")
        sender = model::find(message.system, "rpSenderModuleId");
    return sender != nullptr ? sender : model::find(message.system, internal);
}
}  // namespace

Result<PropertyBag> parse_property_bag(std::string_view text, Direction direction) {
    PropertyBag bag;
    text = text.substr(0, text.find('/'));
    while (!text.empty()) {
        const auto end = text.find('&');
        const auto pair = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        const auto equals = pair.find('=');
        if (pair.empty() || equals == 0) return fail(Errc::malformed, "a property has no name");
        if (equals != std::string_view::npos && pair.find('=', equals + 1) != std::string_view::npos)
            return fail(Errc::malformed, "a property has a second '='; percent-encode it in the value");
        auto name = decoded(pair.substr(0, equals));
        std::optional<std::string> value;
        if (equals != std::string_view::npos) value = decoded(pair.substr(equals + 1));
        if (!is_utf8(name) || (value && !is_utf8(*value))) return fail(Errc::malformed, "a property is no UTF-8");
        const auto* known = std::ranges::find(system_names, name, &SystemName::wire);
        if (known != system_names.end() && goes(*known, direction))
            bag.system.emplace_back(known->internal, std::move(value));
        else
            bag.application.emplace_back(std::move(name), std::move(value));
    }
    return bag;
}

std::string format_property_bag(const model::Message& message, Direction direction) {
    std::string out;
    for (const auto& name : system_names) {
        if (!goes(name, direction)) continue;
        if (const auto* value = system_value(message, name.internal, direction)) append(out, name.wire, *value);
    }
    for (const auto& [name, value] : message.properties) append(out, name, value);
    return out;
}

}  // namespace skerry::iothub
