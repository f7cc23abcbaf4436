#include "hub/mqtt/subscriptions.hpp"

#include "iothub/topics.hpp"
#include "model/twin.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace skerry::hub::mqtt {

using codec::mqtt::QoS;

namespace {
constexpr std::size_t most_filters = 50;
constexpr std::size_t longest_filter = 1024;
constexpr std::uint8_t refused = 0x80;
}  // namespace

std::uint8_t Subscriptions::add(const std::string& filter, QoS wanted) {
    const bool known = filters_.contains(filter);
    if (filter.size() > longest_filter || (!known && filters_.size() >= most_filters)) return refused;
    const auto granted = std::min(wanted, QoS::at_least_once);
    filters_[filter] = granted;
    return static_cast<std::uint8_t>(granted);
}

void Subscriptions::remove(const std::string& filter) { filters_.erase(filter); }

std::optional<QoS> Subscriptions::match(std::string_view topic) const {
    std::optional<QoS> best;
    for (const auto& [filter, qos] : filters_)
        if ((!best || *best < qos) && codec::mqtt::matches(filter, topic)) best = qos;
    return best;
}

// "devices/d/modules/m/inputs/i/%24.cdid=…": the properties are one level.
std::optional<QoS> Subscriptions::match_input(std::string_view prefix) const {
    return match(std::string(prefix) + "/p");
}

CloudInterests Subscriptions::interests(const model::Identity& client) const {
    CloudInterests interests;
    if (!client.is_module() && !filters_.empty())
        interests.cloud_to_device =
            match(fmt::format("devices/{}/messages/devicebound/p", client.device_id())).has_value();
    for (const auto& [filter, qos] : filters_) {
        const auto kind = iothub::classify_filter(filter);
        if (kind == iothub::Subscription::desired_properties) interests.desired = true;
        if (kind == iothub::Subscription::methods) interests.methods = true;
    }
    return interests;
}

std::string Subscriptions::to_text() const {
    boost::json::object object;
    for (const auto& [filter, qos] : filters_) object[filter] = static_cast<int>(qos);
    return boost::json::serialize(object);
}

Subscriptions Subscriptions::from_text(std::string_view text) {
    Subscriptions subscriptions;
    const auto object = model::parse_object(text);
    if (!object) return subscriptions;
    for (const auto& [filter, qos] : *object) {
        const bool once = qos.is_int64() && qos.get_int64() == 0;
        if (codec::mqtt::is_valid_filter(filter))
            (void)subscriptions.add(filter, once ? QoS::at_most_once : QoS::at_least_once);
    }
    return subscriptions;
}

}  // namespace skerry::hub::mqtt
