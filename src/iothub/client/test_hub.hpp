// For tests: a hub that does what it is told, and a world with a client of it.
#pragma once

#include "base/encoding.hpp"
#include "codec/mqtt.hpp"
#include "iothub/device_client.hpp"
#include "iothub/sas.hpp"
#include "sim/world.hpp"

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace skerry::iothub {

namespace mqtt = codec::mqtt;

class TestHub {
public:
    using Listen = std::function<Result<std::unique_ptr<net::Listener>>()>;
    TestHub(Executor executor, Listen open) : open_(std::move(open)), tasks_(std::move(executor)) { listen(); }

    void listen() {
        listener_ = open_().value();
        tasks_.spawn("accept", accept(*this));
    }
    void stop_listening() { listener_->close(); }
    // Ends the connection.
    void drop() { std::exchange(current_, nullptr)->close(); }
    [[nodiscard]] Task<> close() { return tasks_.close(); }

    mqtt::PacketId push(std::string topic, std::string payload, mqtt::QoS qos = mqtt::QoS::at_least_once) {
        mqtt::Publish publish;
        publish.topic = std::move(topic);
        publish.payload = std::move(payload);
        publish.qos = qos;
        publish.id = qos == mqtt::QoS::at_most_once ? mqtt::PacketId{0} : ++last_id;
        write(mqtt::Packet{publish});
        return publish.id;
    }
    void push_bytes(std::string bytes) { send_bytes(std::move(bytes)); }
    void acknowledge(const mqtt::Publish& publish) { write(mqtt::Packet{mqtt::Puback{publish.id}}); }
    void acknowledge_all() {
        for (const auto& publish : std::exchange(unacknowledged, {})) acknowledge(publish);
    }

    // How it behaves.
    bool acknowledges{true};
    bool answers_pings{true};
    bool answers_subscribe{true};
    std::uint8_t suback_code{1};
    mqtt::ConnectCode connack{mqtt::ConnectCode::accepted};
    std::function<std::pair<int, std::string>(std::string_view topic, std::string_view body)> on_twin;

    // What it saw.
    std::vector<mqtt::Connect> connects;
    std::vector<mqtt::Subscribe> subscribes;
    std::vector<mqtt::Unsubscribe> unsubscribes;
    std::vector<mqtt::Publish> messages;        // telemetry
    std::vector<mqtt::Publish> unacknowledged;  // telemetry that it owes an answer
    std::vector<mqtt::Publish> method_answers;
    std::vector<mqtt::PacketId> acknowledged;  // by the client
    std::vector<std::string> unanswered_twin_requests;
    std::size_t pings{0};
    std::size_t disconnects{0};
    mqtt::PacketId last_id{0};

private:
    static Task<> accept(TestHub& hub) {
        for (;;) {
            auto stream = co_await hub.listener_->accept();
            if (!stream) co_return;
            hub.tasks_.spawn("connection", serve(hub, std::move(*stream)));
        }
    }

    static Task<> serve(TestHub& hub, std::shared_ptr<net::Stream> stream) {
        if (!co_await stream->handshake()) co_return;
        hub.current_ = stream;
        mqtt::Decoder decoder;
        std::array<char, 4096> buffer;
        for (;;) {
            const auto count = co_await stream->read_some(buffer);
            if (!count || *count == 0) co_return;
            decoder.feed({buffer.data(), *count});
            for (auto packet = decoder.next(); packet && *packet; packet = decoder.next()) hub.take(**packet);
        }
    }

    void take(const mqtt::Packet& packet) {
        if (const auto* connect = std::get_if<mqtt::Connect>(&packet)) {
            connects.push_back(*connect);
            write(mqtt::Packet{mqtt::Connack{false, connack}});
        } else if (const auto* subscribe = std::get_if<mqtt::Subscribe>(&packet)) {
            subscribes.push_back(*subscribe);
            if (answers_subscribe)
                write(mqtt::Packet{
                    mqtt::Suback{subscribe->id, std::vector<std::uint8_t>(subscribe->filters.size(), suback_code)}});
        } else if (const auto* unsubscribe = std::get_if<mqtt::Unsubscribe>(&packet)) {
            unsubscribes.push_back(*unsubscribe);
            write(mqtt::Packet{mqtt::Unsuback{unsubscribe->id}});
        } else if (const auto* puback = std::get_if<mqtt::Puback>(&packet)) {
            acknowledged.push_back(puback->id);
        } else if (std::holds_alternative<mqtt::Pingreq>(packet)) {
            ++pings;
            if (answers_pings) write(mqtt::Packet{mqtt::Pingresp{}});
        } else if (std::holds_alternative<mqtt::Disconnect>(packet)) {
            ++disconnects;
        } else if (const auto* publish = std::get_if<mqtt::Publish>(&packet)) {
            take_publish(*publish);
        }
    }

    void take_publish(const mqtt::Publish& publish) {
        const auto topic = parse_client_topic(publish.topic).value();
        if (std::holds_alternative<MethodResponseTopic>(topic)) {
            method_answers.push_back(publish);
        } else if (const auto* get = std::get_if<TwinGetTopic>(&topic)) {
            answer_twin(publish, get->request_id);
        } else if (const auto* report = std::get_if<TwinReportTopic>(&topic)) {
            answer_twin(publish, report->request_id);
        } else {
            messages.push_back(publish);
            if (acknowledges)
                acknowledge(publish);
            else
                unacknowledged.push_back(publish);
        }
    }

    void answer_twin(const mqtt::Publish& request, const std::string& id) {
        if (!on_twin) return unanswered_twin_requests.push_back(id);
        const auto [status, body] = on_twin(request.topic, request.payload);
        push(twin_response_topic(status, id), body, mqtt::QoS::at_most_once);
    }

    void write(const mqtt::Packet& packet) {
        std::string bytes;
        mqtt::encode(packet, bytes);
        send_bytes(std::move(bytes));
    }

    // One writer per connection: what comes while it writes goes with its next round.
    void send_bytes(std::string bytes) {
        out_ += bytes;
        if (!writing_ && current_) tasks_.spawn("writer", flush(*this, current_));
        writing_ = writing_ || current_ != nullptr;
    }
    static Task<> flush(TestHub& hub, std::shared_ptr<net::Stream> stream) {
        while (!hub.out_.empty()) {
            const auto batch = std::exchange(hub.out_, {});
            (void)co_await stream->write(batch);
        }
        hub.writing_ = false;
    }

    Listen open_;
    std::unique_ptr<net::Listener> listener_;
    std::shared_ptr<net::Stream> current_;
    std::string out_;
    bool writing_{false};
    TaskScope tasks_;
};

// A client of module "d1/m1" in a world with a hub; `key` signs its tokens.
struct TestClient {
    static constexpr auto key = "a key of thirty-two bytes length";

    explicit TestClient(DeviceClientHandlers handlers = {}, std::function<void(DeviceClientOptions&)> change = {},
                        Duration token_lifetime = std::chrono::hours(1))
        : hub(world.executor(),
              [this] { return world.network().host("hub").listen_tls("hub.example", 8883, nullptr); }),
          credentials(std::make_shared<Credentials>("hub.example", identity(), key_signer(key), world.clock(),
                                                    token_lifetime)) {
        world.network().set_latency(std::chrono::milliseconds(1));
        DeviceClientOptions options{.dial_host = "hub.example",
                                    .tls = nullptr,
                                    .identity = identity(),
                                    .client_type = "test/1",
                                    .auth_chain = {},
                                    .connector = {}};
        if (change) change(options);
        if (!handlers.on_connected) handlers.on_connected = [this] { ++came; };
        if (!handlers.on_disconnected)
            handlers.on_disconnected = [this](const Error& why) {
                ++went;
                lost = why;
            };
        client = std::make_unique<DeviceClient>(std::move(options), std::move(handlers), credentials, world.network(),
                                                world.clock(), world.random(), world.executor());
    }
    ~TestClient() {
        world.run(client->close());
        world.run(tasks.close());
        world.run(hub.close());
    }

    static model::Identity identity() { return model::Identity::module("d1", "m1").value(); }

    void connect() {
        client->start();
        world.run(client->wait_connected());
    }

    struct Sent {
        std::vector<std::optional<Result<>>> results;
        [[nodiscard]] std::size_t finished() const {
            std::size_t count = 0;
            for (const auto& result : results) count += result.has_value();
            return count;
        }
    };
    // Sends in the background; bodies are "0", "1", …
    std::shared_ptr<Sent> send_many(std::size_t count) {
        const auto sent = std::make_shared<Sent>();
        sent->results.resize(count);
        for (std::size_t at = 0; at < count; ++at) tasks.spawn("send", send_into(*client, at, sent));
        return sent;
    }
    static model::SharedMessage message(std::string body) {
        auto made = std::make_shared<model::Message>();
        made->body = std::move(body);
        made->set_system_property("outputName", "out");
        return made;
    }

    sim::World world;
    TestHub hub;
    std::shared_ptr<Credentials> credentials;
    TaskScope tasks{world.executor()};
    std::unique_ptr<DeviceClient> client;
    int came{0};
    int went{0};
    std::optional<Error> lost;  // why it went the last time

private:
    static Task<> send_into(DeviceClient& client, std::size_t at, std::shared_ptr<Sent> sent) {
        sent->results[at] = co_await client.send(message(std::to_string(at)));
    }
};

}  // namespace skerry::iothub
