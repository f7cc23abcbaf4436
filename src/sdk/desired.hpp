// Keeps a module's desired properties whole: reads the twin after each connect, merges patches, reads again after a
// gap, and calls the handler, one call at a time, with the newest state.
#pragma once

#include "base/event.hpp"
#include "base/task_scope.hpp"
#include "iothub/device_client.hpp"
#include "platform/platform.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <functional>
#include <optional>

namespace skerry::sdk {

class Desired {
public:
    using Handler = std::function<Task<>(boost::json::object desired)>;

    explicit Desired(const Platform& platform);

    void set_handler(Handler handler) { handler_ = std::move(handler); }
    [[nodiscard]] bool wanted() const { return handler_ != nullptr; }

    // `client` outlives close().
    void start(iothub::DeviceClient& client);
    [[nodiscard]] Task<> close();

    void read_again();
    void merge(const boost::json::object& patch);

private:
    [[nodiscard]] Task<> run(iothub::DeviceClient& client);
    [[nodiscard]] Task<> read(iothub::DeviceClient& client);
    [[nodiscard]] Task<> deliver();

    Clock& clock_;
    Handler handler_;
    boost::json::object properties_;
    std::optional<std::int64_t> version_;    // of properties_
    std::optional<std::int64_t> delivered_;  // what the handler has seen
    bool must_read_{false};
    bool closing_{false};
    Signal wake_;
    TaskScope tasks_;
};

}  // namespace skerry::sdk
