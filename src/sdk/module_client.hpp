// A module of an IoT Edge device, for coroutines on a loop of your own (blocking_module_client.hpp is for threads).
//
// Promises: an input is acknowledged when its handler, with its sends, has completed without an error; until then, and
//           after an error, the hub delivers it again. send_event() succeeds only when the hub acknowledged.
//           Messages for an input without a handler wait, unacknowledged, until it has one.
// Threads:  the loop's. One handler at a time per input, one for desired properties, up to 16 methods at once.
#pragma once

#include "daemonapi/environment.hpp"
#include "iothub/device_client.hpp"
#include "platform/platform.hpp"
#include "sdk/message.hpp"

#include <boost/json/object.hpp>

#include <functional>
#include <memory>
#include <string>

namespace skerry::sdk {

// How a module reaches its hub; from_environment() makes one.
struct Connection {
    iothub::DeviceClientOptions options;
    std::shared_ptr<iothub::Credentials> credentials;
};

// From IOTEDGE_* and the workload API (trust bundle and signing), or for development from EdgeHubConnectionString and
// EdgeModuleCACertificateFile. Waits up to 60 s for a workload API that is not there yet.
[[nodiscard]] Task<Result<Connection>> connection_from_environment(Platform platform,
                                                                   daemonapi::Environment environment);

class ModuleClient {
public:
    using InputHandler = std::function<Task<Result<>>(Message message)>;
    using MethodHandler = std::function<Task<MethodReply>(std::string payload)>;
    using DesiredHandler = std::function<Task<>(boost::json::object desired)>;

    [[nodiscard]] static Task<Result<std::unique_ptr<ModuleClient>>> from_environment(
        Platform platform, daemonapi::Environment environment = daemonapi::Environment::of_process());
    ModuleClient(Platform platform, Connection connection);
    ~ModuleClient();

    // Set handlers before start(): what has no handler then is not subscribed.
    void set_input_handler(std::string input, InputHandler handler);
    void set_method_handler(std::string method, MethodHandler handler);
    // Called with all desired properties ($version among them): at start, and whenever they changed.
    void set_desired_handler(DesiredHandler handler);

    void start();  // connects, and reconnects from then on
    [[nodiscard]] Task<> wait_connected();
    [[nodiscard]] Task<> close();  // no handler runs when it returns
    [[nodiscard]] bool connected() const;
    [[nodiscard]] const Error* last_error() const;

    // Errc::malformed for a message that is too large; without retry also unreachable and closed (may have arrived).
    [[nodiscard]] Task<Result<>> send_event(std::string output, Message message, Retry retry = Retry::no);
    [[nodiscard]] Task<Result<boost::json::object>> get_twin();  // {"desired":{…},"reported":{…}}
    [[nodiscard]] Task<Result<>> report(boost::json::object patch);

private:
    struct State;
    std::shared_ptr<State> state_;  // shared with the coroutines of requests
};

}  // namespace skerry::sdk
