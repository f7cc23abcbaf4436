// What a client asks of its session beside telemetry: subscriptions, its twin, direct methods.
#include "cloud/mqtt/session.hpp"

#include "base/log.hpp"
#include "model/twin.hpp"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>

namespace skerry::cloud {

namespace mqtt = codec::mqtt;
namespace json = boost::json;

// The kind of a filter that is this client's own; unknown for everything else, other clients' topics included.
iothub::Subscription MqttSession::own_subscription(std::string_view filter) const {
    const auto kind = iothub::classify_filter(filter);
    if (kind == iothub::Subscription::module_inputs) {
        const auto own =
            fmt::format("devices/{}/modules/{}/", access_.identity.device_id(), access_.identity.module_id());
        return filter.starts_with(own) ? kind : iothub::Subscription::unknown;
    }
    if (kind == iothub::Subscription::cloud_to_device)
        return filter.starts_with(fmt::format("devices/{}/", access_.identity.device_id()))
                   ? kind
                   : iothub::Subscription::unknown;
    return kind;
}

void MqttSession::on_subscribe(const mqtt::Subscribe& subscribe) {
    constexpr std::uint8_t refused = 0x80;
    mqtt::Suback suback{subscribe.id, {}};
    bool methods = false;
    for (const auto& [filter, qos] : subscribe.filters) {
        const auto kind = own_subscription(filter);
        if (kind == iothub::Subscription::unknown) {
            log::warn("mqtt: '{}' may not subscribe to '{}'", access_.identity.id(), filter);
            suback.codes.push_back(refused);
            continue;
        }
        subscriptions_.insert(kind);
        if (kind == iothub::Subscription::cloud_to_device) commands_qos_ = qos;
        methods = methods || kind == iothub::Subscription::methods;
        suback.codes.push_back(std::min<std::uint8_t>(static_cast<std::uint8_t>(qos), 1));
    }
    send(suback);
    if (subscribed(iothub::Subscription::cloud_to_device)) look_for_commands();
    if (methods) context_.hub.connections().notify_subscribed();
}

void MqttSession::on_unsubscribe(const mqtt::Unsubscribe& unsubscribe) {
    for (const auto& filter : unsubscribe.filters) subscriptions_.erase(own_subscription(filter));
    send(mqtt::Unsuback{unsubscribe.id});
    if (!subscribed(iothub::Subscription::cloud_to_device))
        completing_.spawn("mqtt commands", give_back_commands(shared_from_this()));
}

Task<> MqttSession::on_twin_get(std::string request_id) {
    const auto twin = co_await context_.hub.ask([&](Stores& stores) { return stores.twins.find(access_.identity); });
    if (!twin) {
        refuse_twin(request_id, twin.error());
        co_return;
    }
    const json::object body{{"desired", device_view(twin->desired)}, {"reported", device_view(twin->reported)}};
    answer_twin(200, request_id, std::nullopt, json::serialize(body));
}

Task<> MqttSession::on_twin_report(std::string request_id, std::string payload) {
    const auto version = co_await context_.hub.ask([&](Stores& stores) -> Outcome<std::int64_t> {
        const auto patch = model::parse_object(payload);
        if (!patch) return refuse(HubCode::argument_invalid, patch.error().text);
        return stores.twins.report(access_.identity, *patch);
    });
    if (version)
        answer_twin(204, request_id, *version, {});
    else
        refuse_twin(request_id, version.error());
}

void MqttSession::answer_twin(unsigned status, std::string_view request_id, std::optional<std::int64_t> version,
                              std::string_view body) {
    if (request_id.empty() || !subscribed(iothub::Subscription::twin_responses)) return;
    publish(iothub::twin_response_topic(static_cast<int>(status), request_id, version), body);
}

void MqttSession::refuse_twin(std::string_view request_id, const Fault& fault) {
    log::warn("mqtt: a twin request of '{}' is refused: {}", access_.identity.id(), fault.text);
    const json::object body{{"errorCode", static_cast<std::uint32_t>(fault.code)},
                            {"trackingId", context_.random.uuid()},
                            {"message", fault.text},
                            {"timestampUtc", format_rfc3339(context_.clock.wall(), 7)}};
    answer_twin(status_of(fault.code), request_id, std::nullopt, json::serialize(body));
}

void MqttSession::on_method_response(const iothub::MethodResponseTopic& topic, std::string payload) {
    MethodAnswer answer{topic.status, std::move(payload)};
    if (!context_.hub.connections().answer(access_.identity, topic.request_id, std::move(answer)))
        log::debug("mqtt: '{}' answers a method call that nobody waits for", access_.identity.id());
}

bool MqttSession::takes_methods() const { return !dropped_ && subscribed(iothub::Subscription::methods); }

void MqttSession::invoke(std::string_view method, std::string_view payload, std::string_view request_id) {
    publish(iothub::method_request_topic(method, request_id), payload);
}

void MqttSession::update_desired(const DesiredUpdate& update) {
    if (dropped_ || !subscribed(iothub::Subscription::desired_properties)) return;
    publish(iothub::desired_patch_topic(update.version), json::serialize(update.patch));
}

}  // namespace skerry::cloud
