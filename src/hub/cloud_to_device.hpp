// Messages of the cloud on their way to a device: one at a time for each device, from the link to the session.
//
// Promises: a message counts as taken only once the device has acknowledged it, or it has expired; until then it stays
//           the cloud's. A device that goes before it acknowledged gets the message from the cloud again when it is
//           back.
// Bounds:   the link's: one message per device is here, the link holds what came behind it.
// Threads:  the loop's.
#pragma once

#include "base/clock.hpp"
#include "base/event.hpp"
#include "hub/sessions.hpp"

#include <cstdint>
#include <map>

namespace skerry::hub {

class CloudToDevice final : public SessionObserver, public DeliveryOwner {
public:
    CloudToDevice(Metrics& metrics, Clock& clock, Executor executor)
        : metrics_(metrics), clock_(clock), executor_(executor), changed_(std::move(executor)) {}

    // Returns when the message is dealt with. Errc::closed: the device is not listening (any more), the cloud keeps it.
    [[nodiscard]] Task<Result<>> pass_on(Sessions& sessions, model::Identity device, model::Message message);

    void delivered(const Delivery& delivery, SteadyTime since) override;
    void session_changed(Session&) override { changed_.notify(); }  // it may have room again
    void session_ended(Session& session) override;

private:
    struct Pending {
        model::Identity device;
        Event done;
        bool acknowledged{false};
    };
    // False: the session ended before.
    [[nodiscard]] Task<bool> deliver(Session& session, model::SharedMessage message);

    Metrics& metrics_;
    Clock& clock_;
    Executor executor_;
    Signal changed_;
    std::uint64_t last_{0};
    std::map<std::uint64_t, Pending> pending_;
};

}  // namespace skerry::hub
