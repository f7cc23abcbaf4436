// A module of an IoT Edge device, for plain threads: no coroutines, no loop, no other library in sight.
//
// Promises: as module_client.hpp: an input is acknowledged when its handler has returned without an error; send_event()
//           returns when the hub acknowledged.
// Threads:  call it from any thread. Handlers run on one thread of the client, one at a time; they may call send_event,
//           get_twin and report, but not open or close.
#pragma once

#include "base/result.hpp"
#include "sdk/message.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace skerry::sdk {

class BlockingModuleClient {
public:
    using InputHandler = std::function<Result<>(const Message& message)>;
    using MethodHandler = std::function<MethodReply(const std::string& payload)>;
    using DesiredHandler = std::function<void(const std::string& desired_json)>;

    // From the environment that the agent gives every module, or from EdgeHubConnectionString and
    // EdgeModuleCACertificateFile. Waits up to 60 s for a daemon that is not there yet.
    [[nodiscard]] static Result<std::unique_ptr<BlockingModuleClient>> from_environment();
    ~BlockingModuleClient();  // close()

    // Set handlers before open().
    void set_input_handler(std::string input, InputHandler handler);
    void set_method_handler(std::string method, MethodHandler handler);
    // Called with all desired properties ($version among them) as JSON: at start, and whenever they changed.
    void set_desired_handler(DesiredHandler handler);

    // Connects; reconnects by itself from then on. Errc::timeout when the hub is not there in time, with the reason;
    // the client goes on trying.
    [[nodiscard]] Result<> open(std::chrono::milliseconds limit = std::chrono::seconds(60));

    [[nodiscard]] Result<> send_event(std::string output, Message message, Retry retry = Retry::until_acknowledged);
    [[nodiscard]] Result<std::string> get_twin();  // {"desired":{…},"reported":{…}}
    [[nodiscard]] Result<> report(const std::string& patch_json);

    void wait();   // until close() was called on another thread
    void close();  // calls that wait fail with Errc::closed; no handler runs when it returns

    struct State;
    explicit BlockingModuleClient(std::shared_ptr<State> state);

private:
    std::shared_ptr<State> state_;
};

}  // namespace skerry::sdk
