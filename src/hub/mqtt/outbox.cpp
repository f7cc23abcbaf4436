#include "hub/mqtt/outbox.hpp"

#include <utility>

namespace skerry::hub::mqtt {

namespace {
constexpr std::size_t enough_bytes = 256 * 1024;
constexpr std::size_t most_deliveries = 10'000;
constexpr std::size_t most_unacknowledged = 20'000;
constexpr std::size_t longest_topic = 65'535;
constexpr std::size_t kept_capacity = 4 * 1024;  // an idle connection keeps no large buffer
}  // namespace

void Outbox::put(const codec::mqtt::Packet& packet) {
    codec::mqtt::encode(packet, gathering_);
    if (!filled_.is_set()) filled_.set();
}

void Outbox::put_ack(codec::mqtt::PacketId id) {
    // A PUBACK, the most frequent packet of all, as bytes.
    const char packet[] = {0x40, 2, static_cast<char>(id >> 8), static_cast<char>(id & 0xff)};
    gathering_.append(packet, sizeof packet);
    if (!filled_.is_set()) filled_.set();
}

Result<> Outbox::publish(std::string_view topic, std::string_view payload, codec::mqtt::QoS qos,
                         std::optional<DeliveryTag> tag) {
    if (topic.size() > longest_topic)
        return fail(Errc::malformed, "the message's properties make a topic longer than MQTT's 65,535 bytes");
    codec::mqtt::PacketId id = 0;
    if (qos == codec::mqtt::QoS::at_least_once) {
        if (unacknowledged_.size() >= most_unacknowledged)
            return fail(Errc::full, "the client has 20,000 messages that it does not acknowledge");
        id = static_cast<codec::mqtt::PacketId>(Slots<int>::number_of(unacknowledged_.put(tag)) + 1);
    } else if (tag) {
        gathering_tags_.push_back(*tag);
    }
    codec::mqtt::encode_publish(topic, payload, qos, false, false, id, gathering_);
    if (!filled_.is_set()) filled_.set();
    return {};
}

bool Outbox::is_backed_up() const { return gathering_.size() + writing_.size() >= enough_bytes; }

bool Outbox::has_room() const { return !is_backed_up() && unacknowledged_.size() < most_deliveries; }

std::optional<DeliveryTag> Outbox::acknowledged(codec::mqtt::PacketId id) {
    return unacknowledged_.take_number(id - 1U).value_or(std::nullopt);
}

Task<std::string_view> Outbox::next() {
    while (gathering_.empty()) {
        filled_.reset();
        co_await filled_.wait();
    }
    filled_.reset();
    std::swap(gathering_, writing_);
    std::swap(gathering_tags_, writing_tags_);
    co_return writing_;
}

std::vector<DeliveryTag> Outbox::written() {
    writing_.clear();
    if (writing_.capacity() > kept_capacity) std::string().swap(writing_);
    return std::exchange(writing_tags_, {});
}

}  // namespace skerry::hub::mqtt
