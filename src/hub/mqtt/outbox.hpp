// What goes to one client next: packets gather in a buffer until the writer takes them all at once.
//
// Promises: packets leave in the order they were put in; every PUBLISH of QoS 1 in flight has an id of its own.
// Bounds:   has_room() is false beyond 256 KB not yet taken by the socket, or 10,000 PUBLISH packets without PUBACK: no
//           delivery is added then. Answers still fit, up to 20,000 packets without PUBACK; the client's requests are
//           not read while is_backed_up().
#pragma once

#include "base/event.hpp"
#include "codec/mqtt.hpp"
#include "hub/session.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::hub::mqtt {

class Outbox {
public:
    explicit Outbox(const Executor& executor) : filled_(executor) {}

    void put(const codec::mqtt::Packet& packet);
    void put_ack(codec::mqtt::PacketId id);
    // `tag` comes back from acknowledged() or written(). Errc::malformed: the topic is longer than MQTT allows;
    // Errc::full: the client acknowledges nothing.
    [[nodiscard]] Result<> publish(std::string_view topic, std::string_view payload, codec::mqtt::QoS qos,
                                   std::optional<DeliveryTag> tag);
    [[nodiscard]] bool has_room() const;
    [[nodiscard]] bool is_backed_up() const;

    // The tag of a PUBLISH that the client has acknowledged; nullopt for unknown ids and packets without a tag.
    [[nodiscard]] std::optional<DeliveryTag> acknowledged(codec::mqtt::PacketId id);

    // For the writer: waits until there is something, and hands over all of it. Valid until the next call.
    [[nodiscard]] Task<std::string_view> next();
    // The bytes of the last next() are with the socket: the tags of QoS 0 packets among them.
    [[nodiscard]] std::vector<DeliveryTag> written();

private:
    std::string gathering_;
    std::string writing_;
    std::vector<DeliveryTag> gathering_tags_;  // of QoS 0
    std::vector<DeliveryTag> writing_tags_;
    Slots<std::optional<DeliveryTag>> unacknowledged_;  // in slot n the packet of id n + 1
    Event filled_;
};

}  // namespace skerry::hub::mqtt
