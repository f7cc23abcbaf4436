// A client of a hub for one identity: what a device SDK does, over MQTT and TLS. Used by the hub's upstream, the agent, the
// module SDK and test tools.
//
// Promises: connects and reconnects by itself (back-off 0.5 s to 30 s with jitter, at once after a token ran out),
//           subscribes again, and tells its owner when it came and went. Requests fail at once while it is away.
//           Nothing is kept in memory beyond the window of unacknowledged publishes.
// Threads:  the loop's.
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/task_scope.hpp"
#include "iothub/credentials.hpp"
#include "iothub/topics.hpp"
#include "model/message.hpp"
#include "net/network.hpp"

#include <boost/json/object.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace skerry::iothub {

struct MethodRequest {
    std::string method;
    std::string payload;  // JSON text, may be empty
};
struct MethodResponse {
    int status{200};
    std::string payload;  // JSON text, may be empty
};

struct DeviceClientOptions {
    std::string dial_host;  // where TCP and TLS go: the hub, or a gateway
    std::uint16_t port{8883};
    std::shared_ptr<net::TlsClient> tls;
    model::Identity identity;
    std::string client_type{"skerry"};
    std::vector<std::string> auth_chain;  // empty: for itself
    std::uint16_t keep_alive_seconds{60};
    std::size_t window{64};  // publishes in flight; further ones wait
    Duration request_limit{std::chrono::seconds(20)};  // connect, twin requests, and the wait for a PUBACK
};

// What the hub pushes. Handlers that are not set are not subscribed.
struct DeviceClientHandlers {
    // Returns when the message is dealt with: only then it is acknowledged. An error leaves it unacknowledged, and the
    // connection is reopened so that the hub delivers it again.
    std::function<Task<Result<>>(std::string input, model::Message message)> on_input;
    std::function<Task<Result<>>(model::Message message)> on_cloud_to_device;
    std::function<Task<>(boost::json::object patch)> on_desired;  // has $version
    std::function<Task<MethodResponse>(MethodRequest request)> on_method;
    // After CONNACK and SUBACKs (`session_new`: read your twin again), and when the connection was lost.
    std::function<void()> on_connected;
    std::function<void(const Error& why)> on_disconnected;
};

class DeviceClient {
public:
    DeviceClient(DeviceClientOptions options, DeviceClientHandlers handlers, std::shared_ptr<Credentials> credentials,
                 net::Network& network, Clock& clock, Random& random, Executor executor);
    ~DeviceClient();

    void start();
    [[nodiscard]] Task<> close();  // DISCONNECT, then ends
    [[nodiscard]] bool connected() const;
    [[nodiscard]] Task<> wait_connected();
    // Why the last attempt failed, for status displays.
    [[nodiscard]] const Error* last_error() const;

    // Returns when the hub acknowledged it (QoS 1). Errc::unreachable while away; Errc::closed when the connection was
    // lost in flight: the message may or may not have arrived.
    [[nodiscard]] Task<Result<>> send(model::SharedMessage message);

    [[nodiscard]] Task<Result<boost::json::object>> get_twin();  // {"desired":{…},"reported":{…}}
    [[nodiscard]] Task<Result<>> report(boost::json::object patch);

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace skerry::iothub
