// The port through which the hub reaches the cloud (or a parent edge): implemented by upstream, faked in tests.
//
// Promises: every message, twin and method belongs to the identity it is asked for; one identity's trouble
//           (throttling, a refusal) never delays another's. Nothing waits for the network longer than the link's own
//           limits; while the cloud is away calls fail at once with Errc::unreachable.
// Threads:  the loop's.
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "iothub/credentials.hpp"
#include "iothub/device_client.hpp"
#include "iothub/registry_client.hpp"
#include "model/identity.hpp"
#include "model/message.hpp"
#include "net/network.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace skerry::hub {

// What a client wants to be pushed; the link stays connected for it while any is set.
struct CloudInterests {
    bool desired{false};
    bool methods{false};
    bool cloud_to_device{false};  // devices only
    friend bool operator==(const CloudInterests&, const CloudInterests&) = default;
    [[nodiscard]] bool any() const { return desired || methods || cloud_to_device; }
};

// What the cloud tells the hub. The calls of one identity come one after another.
class CloudListener {
public:
    virtual ~CloudListener() = default;
    // A desired patch, $version included.
    [[nodiscard]] virtual Task<> on_desired(model::Identity identity, boost::json::object patch) = 0;
    [[nodiscard]] virtual Task<iothub::MethodResponse> on_method(model::Identity identity,
                                                                 iothub::MethodRequest request) = 0;
    // Returns when the device has dealt with the message: only then the cloud is told so. One at a time per device.
    [[nodiscard]] virtual Task<Result<>> on_cloud_to_device(model::Identity device, model::Message message) = 0;
    // The identity's way to the cloud is open (again): what was pushed in between is lost, read the twin.
    virtual void on_connected(const model::Identity& identity) = 0;
    virtual void on_disconnected(const model::Identity& identity, const Error& why) = 0;
    // The cloud does not let the identity in (any more): it was deleted or disabled, or its keys have changed.
    virtual void on_refused(const model::Identity& identity) = 0;
};

class CloudLink {
public:
    virtual ~CloudLink() = default;

    // Returns when the cloud has acknowledged it, as sent by `sender`. Calls of one sender go out in the order they are
    // made. unreachable, timeout, closed, full: try again later; malformed: it will never be accepted.
    [[nodiscard]] virtual Task<Result<>> send(model::Identity sender, model::SharedMessage message) = 0;
    // Waits until send() for this sender has a chance; opens its way when that is not open.
    [[nodiscard]] virtual Task<> wait_ready(model::Identity sender) = 0;

    [[nodiscard]] virtual Task<Result<boost::json::object>> get_twin(model::Identity identity) = 0;
    [[nodiscard]] virtual Task<Result<>> report(model::Identity identity, boost::json::object patch) = 0;
    // From now on, until changed. With none set the way may be closed when it is idle.
    virtual void set_interests(const model::Identity& identity, CloudInterests interests) = 0;

    // Everything in this device's scope; or what belongs to one identity. `above`: the edge device that it is asked
    // for, and who is above that, up to this one.
    [[nodiscard]] virtual Task<Result<std::vector<iothub::ScopeIdentity>>> scope() = 0;
    [[nodiscard]] virtual Task<Result<std::vector<iothub::ScopeIdentity>>> scope_of(model::Identity identity,
                                                                                    std::vector<std::string> above) = 0;
    // Whether the cloud lets `identity` in with this token of its own, which ends at `expires`. If so its way to the
    // cloud is opened with it from now on, and not on its behalf. unauthorized: the cloud says no; others: it was not
    // asked.
    [[nodiscard]] virtual Task<Result<>> admit(model::Identity identity, std::string token, WallTime expires) = 0;

    // A client that was admitted earlier: from now on as after admit(), without asking.
    virtual void use_token(const model::Identity& identity, std::string token, WallTime expires) = 0;
    // A call about module identities, made for somebody below; whatever the cloud says to it is an answer. Errors:
    // there is none within 25 seconds.
    [[nodiscard]] virtual Task<Result<iothub::OnBehalfAnswer>> relay(iothub::OnBehalfCall call) = 0;

    // Whether the hub itself ($edgeHub) is connected.
    [[nodiscard]] virtual bool connected() const = 0;
    // Ends all connections in order, within about a second.
    [[nodiscard]] virtual Task<> close() = 0;
};

// What a link is made of. References outlive the link.
struct CloudLinkConfig {
    Executor executor;
    Clock& clock;
    Random& random;
    net::Network& network;
    model::Identity own;    // "<edge device>/$edgeHub"
    std::string hub_host;   // IoT Hub's name: in tokens and user names
    std::string dial_host;  // where connections go: the hub, or the parent edge
    std::uint16_t mqtt_port{8883};
    std::uint16_t https_port{443};
    std::string trusted_pem;  // the trust bundle, besides the system's store
    iothub::Signer signer;    // with $edgeHub's key
    // Who acts for an identity: itself, who is above it, this device.
    std::function<std::vector<std::string>(const model::Identity& identity)> chain_of;
    std::string client_type;  // "EdgeHub/<version>"
    std::string protocol;     // UpstreamProtocol as set
    iothub::ScopeForm scope_form{iothub::ScopeForm::nested};
    Duration idle_limit{std::chrono::hours(1)};
    std::size_t most_connections{101};
};

using CloudLinkFactory =
    std::function<Result<std::unique_ptr<CloudLink>>(CloudLinkConfig config, CloudListener& listener)>;

}  // namespace skerry::hub
