#include "cloud/mqtt/session.hpp"

#include "base/log.hpp"
#include "model/twin.hpp"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>
#include <exception>

namespace skerry::cloud {

namespace mqtt = codec::mqtt;
namespace json = boost::json;

namespace {
constexpr std::size_t most_unacknowledged = 1000;
constexpr std::size_t most_outgoing_bytes = 4 * 1024 * 1024;
constexpr Duration longest_silence = std::chrono::seconds(1767);  // IoT Hub's own cap

Duration silence_limit(std::uint16_t keep_alive_seconds) {
    if (keep_alive_seconds == 0) return longest_silence;
    return std::min(longest_silence, Duration(std::chrono::milliseconds(1500) * keep_alive_seconds));
}
}  // namespace

MqttSession::MqttSession(std::shared_ptr<net::Stream> stream, mqtt::Decoder decoder, mqtt::Connect connect,
                         DeviceAccess access, MqttContext context)
    : stream_(std::move(stream)),
      decoder_(std::move(decoder)),
      connect_(std::move(connect)),
      access_(std::move(access)),
      context_(context),
      writable_(context.executor),
      to_acknowledge_(context.executor),
      acknowledged_(context.executor),
      last_packet_(context.clock.steady()),
      token_ends_(end_of_token()),
      commands_changed_(context.executor),
      completing_(context.executor),
      scope_(context.executor) {}

Task<> MqttSession::run() {
    const auto self = shared_from_this();
    send(mqtt::Connack{});
    log::debug("mqtt: '{}' connected from {}", access_.identity.id(), stream_->peer().address);
    scope_.spawn("mqtt writer", write_out(self));
    scope_.spawn("mqtt acknowledgements", acknowledge(self));
    scope_.spawn("mqtt limits", watch_limits(self));
    scope_.spawn("mqtt commands", deliver_commands(self));
    std::exception_ptr stopped;
    try {
        const auto ended = co_await read_packets();
        if (!ended && !dropped_ && ended.error().code != Errc::closed)
            log::warn("mqtt: '{}' is disconnected: {}", access_.identity.id(), ended.error().text);
    } catch (...) { stopped = std::current_exception(); }
    // Also when the cloud stops: the parts ask the hub, which goes when this has ended.
    co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
    context_.hub.connections().detach(access_.identity, *this);
    stream_->close();
    co_await scope_.close();
    co_await completing_.idle();
    if (stopped) std::rethrow_exception(stopped);
    co_await give_back_commands(self);
    if (!graceful_) co_await publish_will();
}

Task<Result<>> MqttSession::read_packets() {
    std::array<char, 16 * 1024> buffer{};
    for (;;) {
        for (;;) {
            auto packet = decoder_.next();
            if (!packet) co_return fail(packet.error());
            if (!*packet) break;
            last_packet_ = context_.clock.steady();
            if (auto handled = co_await handle(std::move(**packet)); !handled) co_return handled;
            if (graceful_) co_return Result<>{};
        }
        context_.hub.connections().was_active(access_.identity);
        const auto count = co_await stream_->read_some(buffer);
        if (!count) co_return fail(count.error());
        if (*count == 0) co_return fail(Errc::closed, "the client closed");
        decoder_.feed(std::string_view(buffer.data(), *count));
    }
}

Task<Result<>> MqttSession::handle(mqtt::Packet packet) {
    if (auto* publish = std::get_if<mqtt::Publish>(&packet)) co_return co_await on_publish(std::move(*publish));
    if (const auto* subscribe = std::get_if<mqtt::Subscribe>(&packet)) {
        on_subscribe(*subscribe);
    } else if (const auto* unsubscribe = std::get_if<mqtt::Unsubscribe>(&packet)) {
        on_unsubscribe(*unsubscribe);
    } else if (std::holds_alternative<mqtt::Pingreq>(packet)) {
        send(mqtt::Pingresp{});
    } else if (std::holds_alternative<mqtt::Disconnect>(packet)) {
        graceful_ = true;
    } else if (const auto* puback = std::get_if<mqtt::Puback>(&packet)) {
        on_puback(puback->id);
    } else {
        co_return fail(Errc::malformed, "a packet that no client of this hub sends here");
    }
    co_return Result<>{};
}

Task<Result<>> MqttSession::on_publish(mqtt::Publish publish) {
    if (publish.qos == mqtt::QoS::exactly_once) co_return fail(Errc::unsupported, "QoS 2 is not offered");
    auto topic = iothub::parse_client_topic(publish.topic);
    if (!topic) co_return fail(topic.error());
    if (auto* telemetry = std::get_if<iothub::TelemetryTopic>(&*topic))
        co_return co_await on_telemetry(std::move(*telemetry), std::move(publish));

    if (const auto* get = std::get_if<iothub::TwinGetTopic>(&*topic)) {
        co_await on_twin_get(get->request_id);
    } else if (const auto* report = std::get_if<iothub::TwinReportTopic>(&*topic)) {
        co_await on_twin_report(report->request_id, std::move(publish.payload));
    } else if (const auto* response = std::get_if<iothub::MethodResponseTopic>(&*topic)) {
        on_method_response(*response, std::move(publish.payload));
    }
    if (publish.qos == mqtt::QoS::at_least_once) {
        acks_.push_back({publish.id, std::nullopt});
        to_acknowledge_.notify();
    }
    co_return Result<>{};
}

Telemetry MqttSession::telemetry_of(iothub::PropertyBag bag, std::string body) const {
    return Telemetry{.source = access_.identity,
                     .generation_id = access_.generation_id,
                     .auth_scope = access_.scope,
                     .auth_type = access_.type,
                     .properties = std::move(bag.application),
                     .system = std::move(bag.system),
                     .body = std::move(body)};
}

Task<Result<>> MqttSession::on_telemetry(iothub::TelemetryTopic topic, mqtt::Publish publish) {
    if (topic.identity != access_.identity)
        co_return fail(Errc::unauthorized, fmt::format("published as '{}'", topic.identity.id()));
    if (publish.retain) topic.properties.application.emplace_back("mqtt-retain", "true");
    model::Message message{std::move(publish.payload), topic.properties.application, topic.properties.system};
    if (message.size() > model::largest_message)
        co_return fail(Errc::full,
                       fmt::format("a message of {} bytes; the limit is {}", message.size(), model::largest_message));
    while (acks_.size() >= most_unacknowledged) co_await acknowledged_.wait();
    auto ticket =
        co_await context_.hub.events().append(telemetry_of(std::move(topic.properties), std::move(message.body)));
    if (!ticket) co_return fail(ticket.error());
    if (publish.qos == mqtt::QoS::at_least_once) {
        acks_.push_back({publish.id, std::move(*ticket)});
        to_acknowledge_.notify();
    }
    co_return Result<>{};
}

Task<> MqttSession::publish_will() {
    if (!connect_.will) co_return;
    auto topic = iothub::parse_client_topic(connect_.will->topic);
    auto* telemetry = topic ? std::get_if<iothub::TelemetryTopic>(&*topic) : nullptr;
    if (telemetry == nullptr || telemetry->identity != access_.identity) {
        log::warn("mqtt: the will of '{}' is not addressed to its own events: dropped", access_.identity.id());
        co_return;
    }
    telemetry->properties.application.emplace_back("iothub-MessageType", "Will");
    const auto stored = co_await context_.hub.events().append_durably(
        telemetry_of(std::move(telemetry->properties), connect_.will->payload));
    if (!stored) log::warn("mqtt: the will of '{}' was not stored: {}", access_.identity.id(), stored.error().text);
}

Task<> MqttSession::write_out(std::shared_ptr<MqttSession> self) {
    for (;;) {
        while (self->out_.empty()) co_await self->writable_.wait();
        const auto bytes = std::exchange(self->out_, {});
        if (const auto written = co_await self->stream_->write(bytes); !written) {
            self->stream_->close();
            co_return;
        }
    }
}

Task<> MqttSession::acknowledge(std::shared_ptr<MqttSession> self) {
    for (;;) {
        while (self->acks_.empty()) co_await self->to_acknowledge_.wait();
        const auto ack = self->acks_.front();
        if (ack.ticket) {
            const auto stored = co_await self->context_.hub.events().wait(*ack.ticket);
            if (!stored) {
                self->drop("its message could not be stored");
                co_return;
            }
        }
        self->acks_.pop_front();
        self->send(mqtt::Puback{ack.id});
        self->acknowledged_.notify();
    }
}

Task<> MqttSession::watch_limits(std::shared_ptr<MqttSession> self) {
    const auto silence = silence_limit(self->connect_.keep_alive_seconds);
    auto& clock = self->context_.clock;
    for (;;) {
        const auto silent_at = self->last_packet_ + silence;
        const auto now = clock.steady();
        if (now >= self->token_ends_) {
            self->drop("its token expired");
            co_return;
        }
        if (now >= silent_at) {
            self->drop("nothing came from it for 1.5 times its keep-alive");
            co_return;
        }
        co_await clock.sleep_until(std::min(silent_at, self->token_ends_));
    }
}

SteadyTime MqttSession::end_of_token() const {
    constexpr Duration longest = std::chrono::hours(24 * 365);  // a "never" would overflow
    const auto left = std::min(longest, Duration(access_.valid_until - context_.clock.wall()));
    return context_.clock.steady() + left;
}

void MqttSession::drop(std::string_view why) {
    if (dropped_) return;
    dropped_ = true;
    log::info("mqtt: '{}' is disconnected: {}", access_.identity.id(), why);
    stream_->close();
}

void MqttSession::send(const mqtt::Packet& packet) {
    mqtt::encode(packet, out_);
    sent();
}

void MqttSession::publish(std::string_view topic, std::string_view payload) {
    mqtt::encode_publish(topic, payload, mqtt::QoS::at_most_once, false, false, 0, out_);
    sent();
}

void MqttSession::sent() {
    if (out_.size() > most_outgoing_bytes) {
        out_.clear();
        drop("it does not read what it is sent");
    }
    writable_.notify();
}

}  // namespace skerry::cloud
