// The way in for messages: stamped, checked, routed, made durable.
//
// Promises: accept() returns success once the message is safe in every queue its routes name (or no route wants it),
//           and never before; it then belongs to the queues.
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "hub/queue/queue_store.hpp"
#include "hub/router.hpp"
#include "model/identity.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace skerry::hub {

class Intake {
public:
    Intake(Router& router, QueueStore& store, Random& random, model::Identity own);

    // Called for every message that goes upstream, with its sender, before it is stored.
    void on_upstream(std::function<void(const model::Identity& sender)> tell) { upstream_ = std::move(tell); }

    // Called for every message that no route wants.
    void on_unrouted(std::function<void(const model::Identity& sender, const model::Message& message)> tell) {
        unrouted_told_ = std::move(tell);
    }

    // A message as it goes to the queues. Errc::malformed: too large.
    [[nodiscard]] Result<model::SharedMessage> stamp(const model::Identity& sender, model::Message message);
    // Errc::full, io: not stored.
    [[nodiscard]] Task<Result<>> accept(model::Identity sender, model::SharedMessage stamped);
    // As accept(), without waiting. `waiting`: the waiter is told when it is safe; `done`: it is; `no_room`: nothing
    // happened, accept() must be used.
    enum class Submission { done, waiting, no_room };
    [[nodiscard]] Result<Submission> submit(const model::Identity& sender, const model::SharedMessage& stamped,
                                            std::shared_ptr<StoreWaiter> waiter, std::uint64_t ticket);
    // "This client reported this patch", for routes on /twinChangeNotifications. `patch` is JSON text.
    [[nodiscard]] Task<Result<>> accept_twin_change(const model::Identity& client, std::string patch, WallTime now);

    [[nodiscard]] std::uint64_t dropped_without_route() const { return unrouted_; }

private:
    [[nodiscard]] std::vector<QueueTarget> route(const model::Identity& sender, const model::Message& message);

    Router& router_;
    QueueStore& store_;
    model::Identity own_;
    std::string id_prefix_;  // random, one per process
    std::uint64_t ids_{0};
    std::uint64_t unrouted_{0};
    std::function<void(const model::Identity&)> upstream_;
    std::function<void(const model::Identity&, const model::Message&)> unrouted_told_;
};

}  // namespace skerry::hub
