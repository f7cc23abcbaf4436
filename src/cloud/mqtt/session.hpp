// One MQTT connection of a device or module, from CONNECT to its end (iot-hub-wire.md 1.1, 1.2).
//
// Promises: nothing is done for a client before its token or certificate was accepted; PUBACK for telemetry is sent
// after the event
//           is on disk, in the order of the PUBLISHes. A client that breaks the protocol loses its own connection, no
//           other.
// Bounds:   one packet (largest_packet), 1,000 unacknowledged events, 50 messages to the device in flight, 4 MiB of
// outgoing bytes (then it is dropped). Threads:  the loop's.
#pragma once

#include "base/clock.hpp"
#include "base/event.hpp"
#include "base/task_scope.hpp"
#include "cloud/connections.hpp"
#include "cloud/hub.hpp"
#include "codec/mqtt.hpp"
#include "iothub/topics.hpp"
#include "net/stream.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace skerry::cloud {

// A message of 256 KiB with its topic.
inline constexpr std::size_t largest_packet = model::largest_message + 65535 + 16;

struct MqttContext {  // references outlive every session
    Hub& hub;
    Clock& clock;
    Random& random;
    Executor executor;
};

// Serves `stream` until either side ends it.
[[nodiscard]] Task<> serve_mqtt(std::unique_ptr<net::Stream> stream, MqttContext context);

class MqttSession final : public Connection, public std::enable_shared_from_this<MqttSession> {
public:
    MqttSession(std::shared_ptr<net::Stream> stream, codec::mqtt::Decoder decoder, codec::mqtt::Connect connect,
                DeviceAccess access, MqttContext context);

    // Runs until the connection ends; a graceful end says so.
    [[nodiscard]] Task<> run();

    [[nodiscard]] bool takes_methods() const override;
    void invoke(std::string_view method, std::string_view payload, std::string_view request_id) override;
    void update_desired(const DesiredUpdate& update) override;
    void look_for_commands() override;
    void drop(std::string_view why) override;

private:
    struct Ack {
        codec::mqtt::PacketId id;
        std::optional<EventLog::Ticket> ticket;  // absent: nothing to wait for
    };

    // Background parts; each keeps the session alive by itself.
    [[nodiscard]] static Task<> write_out(std::shared_ptr<MqttSession> self);
    [[nodiscard]] static Task<> acknowledge(std::shared_ptr<MqttSession> self);
    [[nodiscard]] static Task<> watch_limits(std::shared_ptr<MqttSession> self);

    // session_commands.cpp
    [[nodiscard]] static Task<> deliver_commands(std::shared_ptr<MqttSession> self);
    [[nodiscard]] static Task<> complete_command(std::shared_ptr<MqttSession> self, codec::mqtt::PacketId id);
    [[nodiscard]] static Task<> give_back_commands(std::shared_ptr<MqttSession> self);
    void send_command(Command command);
    void on_puback(codec::mqtt::PacketId id);

    [[nodiscard]] Task<Result<>> read_packets();
    [[nodiscard]] Task<Result<>> handle(codec::mqtt::Packet packet);
    [[nodiscard]] Task<Result<>> on_publish(codec::mqtt::Publish publish);
    [[nodiscard]] Task<Result<>> on_telemetry(iothub::TelemetryTopic topic, codec::mqtt::Publish publish);
    [[nodiscard]] Task<> on_twin_get(std::string request_id);
    [[nodiscard]] Task<> on_twin_report(std::string request_id, std::string payload);
    void on_method_response(const iothub::MethodResponseTopic& topic, std::string payload);
    void on_subscribe(const codec::mqtt::Subscribe& subscribe);
    void on_unsubscribe(const codec::mqtt::Unsubscribe& unsubscribe);
    [[nodiscard]] Task<> publish_will();

    [[nodiscard]] iothub::Subscription own_subscription(std::string_view filter) const;
    [[nodiscard]] bool subscribed(iothub::Subscription kind) const { return subscriptions_.contains(kind); }
    [[nodiscard]] Telemetry telemetry_of(iothub::PropertyBag bag, std::string body) const;
    void answer_twin(unsigned status, std::string_view request_id, std::optional<std::int64_t> version,
                     std::string_view body);
    void refuse_twin(std::string_view request_id, const Fault& fault);
    void send(const codec::mqtt::Packet& packet);
    void publish(std::string_view topic, std::string_view payload);
    void sent();
    [[nodiscard]] SteadyTime end_of_token() const;

    std::shared_ptr<net::Stream> stream_;  // shared with the serving task, which closes it in the end
    codec::mqtt::Decoder decoder_;
    codec::mqtt::Connect connect_;
    DeviceAccess access_;
    MqttContext context_;
    std::set<iothub::Subscription> subscriptions_;
    std::string out_;
    std::deque<Ack> acks_;
    Signal writable_;
    Signal to_acknowledge_;
    Signal acknowledged_;
    SteadyTime last_packet_;
    SteadyTime token_ends_;
    std::map<codec::mqtt::PacketId, std::string> commands_;  // in flight, with their lock tokens
    codec::mqtt::PacketId last_command_{0};
    codec::mqtt::QoS commands_qos_{codec::mqtt::QoS::at_least_once};
    bool look_again_{false};
    Signal commands_changed_;
    bool graceful_{false};
    bool dropped_{false};
    TaskScope completing_;  // waited for at the end: what was acknowledged is completed
    TaskScope scope_;
};

}  // namespace skerry::cloud
