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

// An escape that is none stays as it is written, as the existing hub reads it. `room` holds what had to be decoded.
std::string_view decoded(std::string_view text, std::string& room) {
    if (text.find('%') == std::string_view::npos) return text;
    auto plain = percent_decode(text);
    if (!plain) return text;
    room = std::move(*plain);
    return room;
}

void append_encoded(std::string& out, std::string_view text) {
    const auto goes_as_it_is = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
               c == '_' || c == '~';
    };
    if (std::ranges::all_of(text, goes_as_it_is))
        out += text;
    else
        out += percent_encode(text);
}

// Appends properties to a bag that begins where `out` ended.
class BagWriter {
public:
    explicit BagWriter(std::string& out) : out_(out), begin_(out.size()) {}

    void add(std::string_view name, std::optional<std::string_view> value) {
        if (name.empty()) return;  // has no form on the wire
        if (out_.size() > begin_) out_ += '&';
        append_encoded(out_, name);
        if (!value) return;
        out_ += '=';
        append_encoded(out_, *value);
    }

private:
    std::string& out_;
    std::size_t begin_;
};

using SystemValues = std::array<std::optional<model::Property>, system_names.size()>;

// By their place on the wire; the first of each name counts. A twin change notification goes to clients under the name
// of whose twin it was.
SystemValues system_values(const model::Message& message, Direction direction) {
    SystemValues values;
    SystemValues senders;
    for (const auto property : message.system) {
        auto name = property.name;
        const bool of_sender = direction == Direction::to_client && name.starts_with("rpSender");
        if (of_sender && name == "rpSenderDeviceId") name = "connectionDeviceId";
        if (of_sender && name == "rpSenderModuleId") name = "connectionModuleId";
        const auto* const known = std::ranges::find(system_names, name, &SystemName::internal);
        if (known == system_names.end() || !goes(*known, direction)) continue;
        auto& value = (of_sender ? senders : values)[static_cast<std::size_t>(known - system_names.begin())];
        if (!value) value = property;
    }
    for (std::size_t n = 0; n < values.size(); ++n)
        if (senders[n]) values[n] = senders[n];
    return values;
}
}  // namespace

Result<PropertyBag> parse_property_bag(std::string_view text, Direction direction) {
    PropertyBag bag;
    std::string name_room;
    std::string value_room;
    text = text.substr(0, text.find('/'));
    while (!text.empty()) {
        const auto end = text.find('&');
        const auto pair = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        const auto equals = pair.find('=');
        if (pair.empty() || equals == 0) return fail(Errc::malformed, "a property has no name");
        if (equals != std::string_view::npos && pair.find('=', equals + 1) != std::string_view::npos)
            return fail(Errc::malformed, "a property has a second '='; percent-encode it in the value");
        const auto name = decoded(pair.substr(0, equals), name_room);
        std::optional<std::string_view> value;
        if (equals != std::string_view::npos) value = decoded(pair.substr(equals + 1), value_room);
        if (!is_utf8(name) || (value && !is_utf8(*value))) return fail(Errc::malformed, "a property is no UTF-8");
        const auto* known = std::ranges::find(system_names, name, &SystemName::wire);
        if (known != system_names.end() && goes(*known, direction))
            bag.system.emplace_back(known->internal, value);
        else
            bag.application.emplace_back(name, value);
    }
    return bag;
}

void append_property_bag(std::string& out, const model::Message& message, Direction direction) {
    BagWriter bag(out);
    const auto values = system_values(message, direction);
    for (std::size_t n = 0; n < values.size(); ++n)
        if (values[n]) bag.add(system_names[n].wire, values[n]->value);
    for (const auto& [name, value] : message.properties) bag.add(name, value);
}

std::string format_property_bag(const model::Message& message, Direction direction) {
    std::string out;
    append_property_bag(out, message, direction);
    return out;
}

}  // namespace skerry::iothub
