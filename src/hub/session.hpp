// One connected client, whatever its protocol: the seam between a protocol head and the hub's core.
//
// The head implements Channel (bytes to the client) and calls Session (what the client asks for). No rule that a second
// protocol would need again lives in a head.
//
// Promises: what a session publishes is stamped with its authenticated identity. A delivery stays its queue's until the
//           client has acknowledged it; when the session ends, all unacknowledged ones are due again.
// Bounds:   deliveries in flight: the windows of the inputs (Pump).
// Threads:  the loop's.
#pragma once

#include "hub/authenticator.hpp"
#include "hub/intake.hpp"
#include "hub/slots.hpp"
#include "iothub/device_client.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace skerry::hub {

class Methods;
class Metrics;
class ReceivedFrom;
class Sessions;
class Twins;

using DeliveryTag = std::uint64_t;

// What the core asks of a head. Calls never block; they append to what the head writes next.
class Channel {
public:
    virtual ~Channel() = default;
    // Whether messages for this input are subscribed.
    [[nodiscard]] virtual bool takes_input(std::string_view input) const = 0;
    // Room for another delivery. When it is there again, the head calls Session::changed().
    [[nodiscard]] virtual bool writable() const = 0;
    // The head calls Session::delivered(tag) when the client has acknowledged it.
    virtual void deliver_input(std::string_view input, const model::Message& message, DeliveryTag tag) = 0;
    // As deliver_input(), to devices that subscribed to messages of the cloud.
    virtual void deliver_to_device(const model::Message& message, DeliveryTag tag) = 0;
    virtual void push_desired(const boost::json::object& patch, std::int64_t version) = 0;
    virtual void call_method(std::string_view call_id, const iothub::MethodRequest& request) = 0;
    // Ends the connection soon; `why` is for the log.
    virtual void close(std::string_view why) = 0;
};

// Who waits for the outcome of a delivery.
class DeliveryOwner {
public:
    virtual ~DeliveryOwner() = default;
    // `since`: when it was handed over, as deliver() was told.
    virtual void delivered(const Delivery& delivery, SteadyTime since) = 0;
};

// What sessions use of the core.
struct SessionServices {
    Intake& intake;
    Twins& twins;
    Methods& methods;
    CloudLink& link;
    Metrics& metrics;
};

class Session {
public:
    Session(Sessions& owner, SessionServices services, model::Identity identity, Admission admission, Channel& channel,
            std::uint64_t serial);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    [[nodiscard]] const model::Identity& identity() const { return identity_; }
    [[nodiscard]] const Admission& admission() const { return admission_; }
    [[nodiscard]] std::uint64_t serial() const { return serial_; }  // never reused
    [[nodiscard]] Channel& channel() { return channel_; }

    // --- what the client asks for

    // Returns when the message is durable in all its queues, or matched no route: now it may be acknowledged.
    // Errc::malformed: too large; full, io: not stored.
    [[nodiscard]] Task<Result<>> publish(model::Message message);
    // The same in two steps, the second without waiting when there is room; see Intake.
    [[nodiscard]] Result<model::SharedMessage> stamp(model::Message message);
    [[nodiscard]] Result<Intake::Submission> submit(const model::SharedMessage& stamped,
                                                    std::shared_ptr<StoreWaiter> waiter, std::uint64_t ticket);
    [[nodiscard]] Task<Result<>> accept(model::SharedMessage stamped);
    // {"desired":{…},"reported":{…}}: from the cloud, or as last known.
    [[nodiscard]] Task<Result<boost::json::object>> get_twin();
    // Returns when the patch is kept here; it reaches the cloud later. Errc::malformed: breaks the rules, the text says
    // which.
    [[nodiscard]] Task<Result<>> report(boost::json::object patch);
    void answer_method(std::string_view call_id, iothub::MethodResponse response);
    void delivered(DeliveryTag tag);
    // A message that was not acknowledged, and why: for the metrics.
    void not_stored(const Error& error);

    [[nodiscard]] CloudInterests interests() const { return interests_; }
    void set_interests(CloudInterests interests);
    // Subscriptions changed, or there is room again.
    void changed();

    // --- for the core

    void deliver(DeliveryOwner& owner, std::string_view input, Delivery delivery, SteadyTime since);
    void deliver_to_device(DeliveryOwner& owner, Delivery delivery, SteadyTime since);
    // The owner is about to go: acknowledgements of its deliveries lead nowhere from now on.
    void forget(const DeliveryOwner& owner);

private:
    friend class Sessions;
    void end();  // no longer registered; deliveries are forgotten

    Sessions* owner_;  // nullptr once ended
    SessionServices services_;
    model::Identity identity_;
    Admission admission_;
    Channel& channel_;
    ReceivedFrom& received_;
    std::uint64_t serial_;
    CloudInterests interests_;

    struct InFlight {
        DeliveryOwner* owner;
        Delivery delivery;
        SteadyTime since;
    };
    Slots<InFlight> in_flight_;  // their keys are the tags
};

}  // namespace skerry::hub
