// A client of a hub for one identity: what a device SDK does, over MQTT and TLS. Used by the hub's upstream, the agent,
// the module SDK and test tools.
//
// Promises: connects and reconnects by itself (back-off with jitter, 0.5 s to 30 s unless set otherwise), subscribes
//           again, and tells its owner when it came and went. Requests fail at once while it is away.
//           Nothing is kept in memory beyond the window of unacknowledged publishes and 256 KiB of written-ahead bytes.
//           A token is renewed at 85 to 90 % of its life: handlers finish, publishes in flight are acknowledged (5 s at
//           most for each), then it reconnects; requests made meanwhile wait instead of failing.
// Bounds:   4,096 pushed messages or 32 MiB that wait for handlers (then the connection is reopened), 16 methods at
//           once (then 429), 16 twin requests at once (then Errc::full), packets of 1 MiB.
// Threads:  the loop's.
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/task_scope.hpp"
#include "iothub/credentials.hpp"
#include "iothub/topics.hpp"
#include "model/message.hpp"
#include "net/http.hpp"
#include "net/network.hpp"

#include <boost/json/object.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace skerry::iothub {

class ClientCore;

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
    std::size_t window{64};                            // publishes in flight; further ones wait
    Duration request_limit{std::chrono::seconds(20)};  // connect, twin requests, and the wait for a PUBACK
    Duration first_backoff{std::chrono::milliseconds(500)};
    Duration longest_backoff{std::chrono::seconds(30)};
    net::Connector connector;  // instead of dial_host, port and tls: any other way to the hub (a proxy, a test's pipe)
};

// What the hub pushes. Handlers that are not set are not subscribed.
struct DeviceClientHandlers {
    // Returns when the message is dealt with: only then it is acknowledged. One message at a time for each input. An
    // error leaves it unacknowledged, and the connection is reopened so that the hub delivers it again. A handler that
    // runs when the connection is lost goes on; its message comes again.
    std::function<Task<Result<>>(std::string input, model::Message message)> on_input;
    std::function<Task<Result<>>(model::Message message)> on_cloud_to_device;  // Errc::closed: see take_commands()
    std::function<Task<>(boost::json::object patch)> on_desired;               // has $version; one at a time
    std::function<Task<MethodResponse>(MethodRequest request)> on_method;
    // After CONNACK and SUBACK, also after the reconnect that renews a token (read your twin again: patches may have
    // passed meanwhile); and when the connection was lost. on_disconnected is not called for a renewal that succeeds.
    std::function<void()> on_connected;
    std::function<void(const Error& why)> on_disconnected;
    // The hub answered CONNECT with a refusal of this identity or its token; at each attempt.
    std::function<void()> on_refused;
};

class DeviceClient {
public:
    DeviceClient(DeviceClientOptions options, DeviceClientHandlers handlers, std::shared_ptr<Credentials> credentials,
                 net::Network& network, Clock& clock, Random& random, Executor executor);
    ~DeviceClient();

    void start();
    // Whether on_cloud_to_device is to be subscribed, now and after every reconnect; it is unless told otherwise. What
    // arrives while it is not stays the hub's, as does a message whose handler ends with Errc::closed.
    void take_commands(bool wanted);
    // DISCONNECT, then ends: no handler runs when it returns. What is in flight fails with Errc::closed.
    [[nodiscard]] Task<> close();
    [[nodiscard]] bool connected() const;
    // Returns too when the client is closed.
    [[nodiscard]] Task<> wait_connected();
    // Returns when connected, when an attempt has failed (last_error() says why), or when the client is closed.
    [[nodiscard]] Task<> wait_attempt();
    // Why the last attempt failed, for status displays.
    [[nodiscard]] const Error* last_error() const;

    // Returns when the hub acknowledged it (QoS 1); sent in the order of the calls. Errc::unreachable while away;
    // Errc::closed when the connection was lost in flight: the message may or may not have arrived. Errc::malformed for
    // more than 262,144 bytes: such a message can never be sent.
    [[nodiscard]] Task<Result<>> send(model::SharedMessage message);

    [[nodiscard]] Task<Result<boost::json::object>> get_twin();  // {"desired":{…},"reported":{…}}
    [[nodiscard]] Task<Result<>> report(boost::json::object patch);

private:
    std::shared_ptr<ClientCore> core_;  // shared with its coroutines, which unwind after a destruction without close()
};

}  // namespace skerry::iothub
