// IoT Hub's MQTT dialect <-> values: user names, topics, property bags (edge-hub.md 1.4, 1.6 to 1.8;
// iot-hub-wire.md 1.1, 1.2).
#pragma once

#include "base/result.hpp"
#include "model/identity.hpp"
#include "model/message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace skerry::iothub {

struct UserName {
    std::string host;
    model::Identity identity;
    std::string api_version;
    std::string client_type;  // DeviceClientType, decoded
    std::string model_id;
    std::vector<std::string> auth_chain;  // leaf first; empty when not on behalf of somebody
};
[[nodiscard]] Result<UserName> parse_user_name(std::string_view text);
[[nodiscard]] std::string format_user_name(std::string_view host, const model::Identity& identity,
                                           std::string_view client_type,
                                           const std::vector<std::string>& auth_chain = {});

enum class Direction { to_hub, to_client };

// "k=v&k2=v2", percent-encoded both sides; system names ("$.mid", also "%24.mid") become system properties. What the
// other direction alone may say ($.cdid, $.cmid to clients; $.on, $.ifid to the hub) is an ordinary property.
struct PropertyBag {
    model::Properties application;
    model::Properties system;  // internal names
};
[[nodiscard]] Result<PropertyBag> parse_property_bag(std::string_view text, Direction direction = Direction::to_hub);
// Client to hub: $.mid $.cid $.ct … $.on. Hub to client: those of 1.7 with $.cdid and $.cmid, never $.on.
[[nodiscard]] std::string format_property_bag(const model::Message& message, Direction direction);
void append_property_bag(std::string& out, const model::Message& message, Direction direction);

// What a client publishes.
struct TelemetryTopic {
    model::Identity identity;  // as in the topic: compare it with the connection's
    PropertyBag properties;
};
struct TwinGetTopic {
    std::string request_id;
};
struct TwinReportTopic {
    std::string request_id;
};  // may be empty: no answer is wanted
struct MethodResponseTopic {
    int status;  // 400000 when it was no number
    std::string request_id;
};
// "devices/d/modules/m/messages/events": what the topics of a client's own messages begin with.
[[nodiscard]] std::string events_prefix(const model::Identity& identity);
// The properties in what follows such a prefix: "", "/", "/bag" or "/bag/", as clients differ in how they end a topic.
[[nodiscard]] Result<PropertyBag> parse_bag_segment(std::string_view rest, Direction direction);
using ClientTopic = std::variant<TelemetryTopic, TwinGetTopic, TwinReportTopic, MethodResponseTopic>;
[[nodiscard]] Result<ClientTopic> parse_client_topic(std::string_view topic);

// What a hub publishes.
struct InputTopic {
    std::string input;
    PropertyBag properties;
};
struct CloudToDeviceTopic {
    PropertyBag properties;
};
struct TwinResponseTopic {
    int status;
    std::string request_id;
    std::optional<std::int64_t> version;
};
struct DesiredPatchTopic {
    std::optional<std::int64_t> version;
};
struct MethodRequestTopic {
    std::string method;
    std::string request_id;
};
using HubTopic = std::variant<InputTopic, CloudToDeviceTopic, TwinResponseTopic, DesiredPatchTopic, MethodRequestTopic>;
[[nodiscard]] Result<HubTopic> parse_hub_topic(std::string_view topic);

// A topic can be longer than MQTT carries (65,535 bytes) when the properties are; the codec then refuses to encode it.
[[nodiscard]] std::string telemetry_topic(const model::Identity& identity, const model::Message& message);
[[nodiscard]] std::string input_topic(const model::Identity& identity, std::string_view input,
                                      const model::Message& message);
// The same in two steps, for many messages to one input.
[[nodiscard]] std::string input_prefix(const model::Identity& identity, std::string_view input);
void append_input_topic(std::string& out, std::string_view prefix, const model::Message& message);
[[nodiscard]] std::string cloud_to_device_topic(const model::Identity& identity, const model::Message& message);
[[nodiscard]] std::string twin_get_topic(std::string_view request_id);
[[nodiscard]] std::string twin_report_topic(std::string_view request_id);
[[nodiscard]] std::string twin_response_topic(int status, std::string_view request_id,
                                              std::optional<std::int64_t> version = {});
[[nodiscard]] std::string desired_patch_topic(std::int64_t version);
[[nodiscard]] std::string method_request_topic(std::string_view method, std::string_view request_id);
[[nodiscard]] std::string method_response_topic(int status, std::string_view request_id);

// What a subscription asks for (1.9), by the shape of its filter.
enum class Subscription { methods, desired_properties, cloud_to_device, twin_responses, module_inputs, unknown };
[[nodiscard]] Subscription classify_filter(std::string_view filter);
[[nodiscard]] std::string filter_of(Subscription kind, const model::Identity& identity);

}  // namespace skerry::iothub
