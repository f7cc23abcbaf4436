// For tests: a whole cloud on loopback with free ports, and a client of it that speaks packets.
#pragma once

#include "base/loop.hpp"
#include "base/timeout.hpp"
#include "cloud/cloud.hpp"
#include "codec/mqtt.hpp"
#include "iothub/sas.hpp"
#include "iothub/topics.hpp"
#include "model/twin.hpp"
#include "net/http.hpp"
#include "storage/files.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace skerry::cloud {

struct Reply {
    unsigned status{0};
    boost::json::value body;
    std::string error_code;
};

// One MQTT connection, packet by packet.
class TestDevice {
public:
    TestDevice(std::unique_ptr<net::Stream> stream, Clock& clock) : stream_(std::move(stream)), clock_(clock) {}

    Task<> send(codec::mqtt::Packet packet);
    // The next packet; nullopt when the cloud closed the connection. Fails the test after ten seconds.
    Task<std::optional<codec::mqtt::Packet>> receive();
    template <class T>
    Task<T> expect() {
        auto packet = co_await receive();
        if (!packet || !std::holds_alternative<T>(*packet)) throw std::runtime_error("another packet was expected");
        co_return std::get<T>(std::move(*packet));
    }
    // CONNECT; the code of the CONNACK.
    Task<codec::mqtt::ConnectCode> connect(std::string client_id, std::string user_name, std::string password,
                                           std::optional<codec::mqtt::Will> will = {}, std::uint16_t keep_alive = 60);
    Task<std::vector<std::uint8_t>> subscribe(std::vector<std::string> filters);
    Task<> publish(std::string topic, std::string payload, codec::mqtt::PacketId id);
    void close() { stream_->close(); }

private:
    std::unique_ptr<net::Stream> stream_;
    Clock& clock_;
    codec::mqtt::Decoder decoder_;
};

class TestCloud {
public:
    TestCloud(std::filesystem::path data, Executor executor);

    Task<> start();
    Task<> close();
    Task<> restart();

    // Over HTTPS with `token`, or over the admin socket with an empty one.
    Task<Reply> call(std::string method, std::string target, std::string body = {}, std::string token = {},
                     std::optional<std::string> if_match = {});
    Task<boost::json::object> create(std::string device, std::string members = {});  // members of the body: ',"a":1'
    Task<boost::json::object> create_module(std::string device, std::string module);
    Task<std::vector<boost::json::object>> events(std::string device = {});

    Task<TestDevice> dial();
    // Connected as `id` ("d" or "d/m") with its own key, subscribed to everything.
    Task<TestDevice> device(std::string id);
    Task<std::string> token(std::string id, Duration lifetime = std::chrono::hours(1));
    Task<std::string> policy_token(std::string policy);
    static std::string user_name(const std::string& id, const std::vector<std::string>& chain = {});

    Platform platform() { return {executor_, clock, random, *network, *files}; }

    std::filesystem::path folder;
    SystemClock clock;
    SystemRandom random;
    std::unique_ptr<storage::Files> files = storage::make_system_files();
    std::unique_ptr<net::Network> network;
    std::unique_ptr<Cloud> cloud;

private:
    Executor executor_;
};

// Runs `test` on a loop of its own with a started cloud.
void with_cloud(const std::function<Task<>(TestCloud& cloud)>& test);

}  // namespace skerry::cloud
