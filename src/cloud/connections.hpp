// Who is connected right now, and what the hub wants of them: desired updates, direct methods, going away.
//
// Promises: one connection per identity; a new one ends the older. A method call ends with the device's answer, or with
//           DeviceNotOnline or GatewayTimeout at its limits (iot-hub-wire.md 2.8).
// Bounds:   1,000 method calls at a time. Presence is kept for identities of the registry only.
// Threads:  the loop's.
#pragma once

#include "base/clock.hpp"
#include "base/event.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "cloud/fault.hpp"
#include "cloud/registry/twins.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace skerry::cloud {

// What a connection of any protocol does for the hub. None of these may wait.
class Connection {
public:
    virtual ~Connection() = default;
    [[nodiscard]] virtual bool takes_methods() const = 0;
    virtual void invoke(std::string_view method, std::string_view payload, std::string_view request_id) = 0;
    virtual void update_desired(const DesiredUpdate& update) = 0;  // nothing when it did not subscribe
    virtual void look_for_commands() = 0;                          // messages to the device wait
    virtual void drop(std::string_view why) = 0;
};

struct Presence {
    bool connected{false};
    std::optional<WallTime> changed;
    std::optional<WallTime> last_activity;
};

struct MethodCall {
    std::string name;
    std::string payload;  // JSON text, may be empty
    Duration connect_limit{};
    Duration response_limit{std::chrono::seconds(30)};
};
struct MethodAnswer {
    int status{0};
    std::string payload;  // as the device sent it
};

class Connections {
public:
    Connections(Clock& clock, Random& random, Executor executor);

    // `connection` stays alive until it detached itself.
    void attach(const model::Identity& identity, std::shared_ptr<Connection> connection);
    void detach(const model::Identity& identity, const Connection& connection);
    void was_active(const model::Identity& identity);
    // A connection began to take methods.
    void notify_subscribed() { changed_.notify(); }

    [[nodiscard]] Presence presence(const model::Identity& identity) const;
    [[nodiscard]] std::size_t connected_devices() const;

    void push(const DesiredUpdate& update);
    void commands_wait(const model::Identity& device);
    void drop(const model::Identity& identity, std::string_view why);
    void drop_device(const std::string& device_id, std::string_view why);  // with its modules
    void forget(const model::Identity& identity);                          // after its deletion

    [[nodiscard]] Task<Outcome<MethodAnswer>> invoke(model::Identity identity, MethodCall call);
    // False for an unknown request id, or one of another identity.
    bool answer(const model::Identity& identity, std::string_view request_id, MethodAnswer answer);

private:
    struct Entry {
        std::shared_ptr<Connection> connection;  // shared with its own serving task, which ends on its own
        Presence presence;
    };
    struct Pending {
        Pending(model::Identity of, const Executor& executor) : identity(std::move(of)), done(executor) {}
        model::Identity identity;
        std::optional<MethodAnswer> answer;
        Event done;
    };
    [[nodiscard]] Task<Result<std::shared_ptr<Connection>>> wait_for_method_taker(model::Identity identity);
    [[nodiscard]] std::shared_ptr<Connection> method_taker(const model::Identity& identity) const;

    Clock& clock_;
    Random& random_;
    Executor executor_;
    std::unordered_map<model::Identity, Entry> entries_;
    std::map<std::string, std::shared_ptr<Pending>, std::less<>> pending_;
    Signal changed_;
};

}  // namespace skerry::cloud
