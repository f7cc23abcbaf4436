// One MQTT client from its first byte to its last: translates between packets and hub::Session, and nothing else.
//
// Promises: PUBACK goes out only when the message is durable, and in the order of the publishes. Bad input of any kind
//           closes this connection only, with one log line that says why. A client may publish only as itself.
//           One read takes what the socket has; one write sends all that is pending.
// Bounds:   publishes in progress (settings) and their bodies (1 MB); 64 requests in progress; Outbox; Subscriptions;
//           one packet being received.
// Threads:  the loop's.
#pragma once

#include "base/task_scope.hpp"
#include "hub/mqtt/connect.hpp"
#include "hub/mqtt/outbox.hpp"
#include "hub/mqtt/subscriptions.hpp"
#include "hub/mqtt/turnstile.hpp"
#include "hub/sessions.hpp"
#include "hub/settings.hpp"
#include "hub/state_store.hpp"
#include "iothub/topics.hpp"
#include "net/stream.hpp"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace skerry::hub::mqtt {

// What a connection uses of the hub; all outlive it.
struct Services {
    Authenticator& authenticator;
    Sessions& sessions;
    StateStore& state;
    Clock& clock;
    Executor executor;
    const MqttSettings& settings;
    // Bytes on their way from any socket to its decoder; nobody waits while something is in it.
    std::span<char> read_buffer;
    Turnstile* turnstile;  // the listener's
};

class Connection final : public Channel, public StoreWaiter, public std::enable_shared_from_this<Connection> {
public:
    Connection(std::unique_ptr<net::Stream> stream, Services services);

    // Serves the client until it goes. Afterwards no task of this connection runs.
    [[nodiscard]] Task<> run();
    // Ends it when the client has been silent for too long.
    void check_silence(SteadyTime now);
    [[nodiscard]] bool admitted() const { return session_ != nullptr; }
    // Still on its way in.
    [[nodiscard]] bool arriving() const { return session_ == nullptr && ended_ == End::none; }
    [[nodiscard]] std::string_view address() const { return stream_->peer().address; }

    bool takes_input(std::string_view input) const override;
    bool writable() const override;
    void deliver_input(std::string_view input, const model::Message& message, DeliveryTag tag) override;
    void deliver_to_device(const model::Message& message, DeliveryTag tag) override;
    void push_desired(const boost::json::object& patch, std::int64_t version) override;
    void call_method(std::string_view call_id, const iothub::MethodRequest& request) override;
    void close(std::string_view why) override;
    void stored(std::uint64_t ticket, const Result<>& outcome) override;

private:
    using Self = std::shared_ptr<Connection>;
    enum class End { none, by_client, by_hub, lost };

    // connection.cpp: the life of the connection
    [[nodiscard]] Task<> serve();
    [[nodiscard]] Task<Result<>> admit();
    [[nodiscard]] Task<Result<codec::mqtt::Connect>> receive_connect();
    [[nodiscard]] Task<Result<>> open_session(codec::mqtt::Connect connect, Claim claim);
    [[nodiscard]] Task<> refuse(Refusal refusal);
    [[nodiscard]] Task<Result<>> receive();
    [[nodiscard]] Task<> write_out();
    [[nodiscard]] Task<> read_packets();
    [[nodiscard]] bool is_busy() const;
    [[nodiscard]] std::size_t unacknowledged() const { return expected_.size() - acknowledged_; }
    [[nodiscard]] Task<> wait_for_room();
    [[nodiscard]] Task<> pass_turnstile();
    [[nodiscard]] Task<> publish_will();
    void end(End how, std::string_view why);

    // packets.cpp: what the client sends; false ends the connection
    [[nodiscard]] Task<bool> handle(codec::mqtt::Packet packet);
    [[nodiscard]] bool handle_publish(codec::mqtt::Publish publish);
    [[nodiscard]] Task<bool> handle_subscribe(codec::mqtt::Subscribe subscribe);
    [[nodiscard]] Task<bool> handle_unsubscribe(codec::mqtt::Unsubscribe unsubscribe);
    [[nodiscard]] Task<bool> subscriptions_changed();
    [[nodiscard]] bool violation(std::string_view what);
    [[nodiscard]] Result<iothub::PropertyBag> own_properties(iothub::TelemetryTopic topic) const;
    [[nodiscard]] static model::Message telemetry(iothub::PropertyBag properties, std::string payload, bool retain,
                                                  bool dup);
    [[nodiscard]] bool handle_request(iothub::ClientTopic topic, codec::mqtt::Publish publish);
    [[nodiscard]] bool publish(model::Message message, codec::mqtt::PacketId id, std::size_t size);
    [[nodiscard]] Task<> accept(Self self, model::SharedMessage message, std::uint64_t sequence);
    [[nodiscard]] Task<> answer_twin_get(Self self, std::string request_id);
    [[nodiscard]] Task<> answer_report(Self self, std::string request_id, std::string payload);
    void request_done();
    [[nodiscard]] bool not_stored(const Error& error);
    [[nodiscard]] std::uint64_t expect_ack(codec::mqtt::PacketId id, std::size_t size);
    void acknowledge(std::uint64_t sequence);
    void deliver(std::string_view topic, std::optional<codec::mqtt::QoS> subscribed, const model::Message& message,
                 DeliveryTag tag);
    void push(std::string_view topic, std::string_view payload);

    struct Input {  // what every message to it needs to know
        std::string name;
        std::string prefix;                   // of its topics
        std::optional<codec::mqtt::QoS> qos;  // absent: not subscribed
    };
    [[nodiscard]] const Input& input_of(std::string_view name) const;

    struct Expected {              // an inbound publish, until it and all before it are done
        codec::mqtt::PacketId id;  // 0: no PUBACK wanted
        std::size_t size;
        bool done{false};
    };

    std::unique_ptr<net::Stream> stream_;
    Services services_;
    codec::mqtt::Decoder decoder_;
    Outbox outbox_;
    Subscriptions subscriptions_;
    mutable std::vector<Input> inputs_;  // that were asked for since subscriptions changed; a few
    std::string topic_;                  // of the delivery that is being written
    std::unique_ptr<Session> session_;
    std::string events_prefix_;  // of the topics of its own messages
    std::optional<codec::mqtt::Will> will_;
    std::string name_;  // for the log: the identity once known, the address before
    bool persistent_{false};
    End ended_{End::none};

    std::vector<Expected> expected_;
    std::uint64_t first_expected_{0};  // the sequence number of expected_[0]
    std::size_t acknowledged_{0};      // of expected_, from its beginning
    std::size_t accepts_running_{0};   // while there are any, no message may overtake them
    std::size_t expected_bytes_{0};
    std::size_t requests_running_{0};
    Event progress_;
    Event turn_;
    std::size_t batch_left_{0};  // publishes that may be handled before the next pass through the turnstile

    SteadyTime last_heard_;
    Duration silence_limit_;
    TaskScope accepting_;  // waited for at the end: what was stored stays stored
    TaskScope requests_;   // cancelled at the end
    TaskScope writer_;
};

}  // namespace skerry::hub::mqtt
