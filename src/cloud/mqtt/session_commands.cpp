// Messages to the device: received from the store as they come, completed when the device acknowledges them.
#include "cloud/mqtt/session.hpp"

#include "base/log.hpp"

namespace skerry::cloud {

namespace mqtt = codec::mqtt;

namespace {
constexpr std::size_t most_in_flight = 50;
// As long as the connection lasts; it gives back what it did not complete.
constexpr Duration lock = std::chrono::hours(24 * 365);
}  // namespace

void MqttSession::look_for_commands() {
    look_again_ = true;
    commands_changed_.notify();
}

Task<> MqttSession::deliver_commands(std::shared_ptr<MqttSession> self) {
    for (;;) {
        while (!self->look_again_ || !self->subscribed(iothub::Subscription::cloud_to_device) ||
               self->commands_.size() >= most_in_flight)
            co_await self->commands_changed_.wait();
        self->look_again_ = false;
        const auto room = most_in_flight - self->commands_.size();
        auto commands = co_await self->context_.hub.ask(
            [&](Stores& stores) { return stores.commands.receive(self->access_.identity, room, lock); });
        if (!commands) {
            log::error("mqtt: the messages to '{}' can't be read: {}", self->access_.identity.id(),
                       commands.error().text);
            continue;
        }
        for (auto& command : *commands) self->send_command(std::move(command));
    }
}

void MqttSession::send_command(Command command) {
    do last_command_ = last_command_ == 65535 ? mqtt::PacketId{1} : static_cast<mqtt::PacketId>(last_command_ + 1);
    while (commands_.contains(last_command_));
    const bool acknowledges = commands_qos_ != mqtt::QoS::at_most_once;
    mqtt::encode_publish(iothub::cloud_to_device_topic(access_.identity, command.message), command.message.body,
                         acknowledges ? mqtt::QoS::at_least_once : mqtt::QoS::at_most_once, false, false,
                         acknowledges ? last_command_ : mqtt::PacketId{0}, out_);
    commands_.emplace(last_command_, std::move(command.lock_token));
    sent();
    if (!acknowledges) on_puback(last_command_);
}

Task<> MqttSession::complete_command(std::shared_ptr<MqttSession> self, mqtt::PacketId id) {
    const auto found = self->commands_.find(id);
    if (found == self->commands_.end()) co_return;
    const auto lock_token = found->second;
    const auto completed = co_await self->context_.hub.ask(
        [&](Stores& stores) { return stores.commands.complete(self->access_.identity, lock_token); });
    if (!completed)
        log::info("mqtt: '{}' acknowledged a message too late: {}", self->access_.identity.id(),
                  completed.error().text);
    self->commands_.erase(id);
    self->look_for_commands();
}

void MqttSession::on_puback(mqtt::PacketId id) {
    if (commands_.contains(id)) completing_.spawn("mqtt command", complete_command(shared_from_this(), id));
}

// What the device did not acknowledge is due again.
Task<> MqttSession::give_back_commands(std::shared_ptr<MqttSession> self) {
    std::vector<std::string> tokens;
    for (auto& [id, token] : self->commands_) tokens.push_back(std::move(token));
    self->commands_.clear();
    if (tokens.empty()) co_return;
    const auto released = co_await self->context_.hub.ask(
        [&](Stores& stores) { return stores.commands.release(self->access_.identity, tokens); });
    if (!released)
        log::error("mqtt: messages to '{}' stay locked until the next start: {}", self->access_.identity.id(),
                   released.error().text);
    self->context_.hub.connections().commands_wait(self->access_.identity);
}

}  // namespace skerry::cloud
