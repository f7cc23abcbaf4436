// The connections to the cloud, one per identity, as few as needed.
#pragma once

#include "base/task_scope.hpp"
#include "hub/cloud_link.hpp"

#include <map>
#include <memory>

namespace skerry::upstream {

// One identity's connection. Busy or wanted, it is not closed for another's sake.
struct Way {
    std::unique_ptr<iothub::DeviceClient> client;
    std::size_t busy{0};
    bool wanted{false};  // its client listens for pushes
    SteadyTime last_used{};

    [[nodiscard]] bool idle() const { return busy == 0 && !wanted; }
};

// Keeps a way open for as long as a call uses it.
class InUse {
public:
    InUse(std::shared_ptr<Way> way, Clock& clock) : way_(std::move(way)), clock_(clock) { ++way_->busy; }
    InUse(const InUse&) = delete;
    InUse& operator=(const InUse&) = delete;
    ~InUse() {
        --way_->busy;
        way_->last_used = clock_.steady();
    }

private:
    std::shared_ptr<Way> way_;  // shared with Ways, which may drop it while a call is cancelled
    Clock& clock_;
};

class Ways {
public:
    using MakeClient = std::function<std::unique_ptr<iothub::DeviceClient>(const model::Identity& identity)>;

    Ways(MakeClient make, Clock& clock, Executor executor, std::size_t most, Duration idle_limit);

    // Opens it when it is not there. nullptr: as many as allowed are open and none is idle, or they were closed.
    [[nodiscard]] std::shared_ptr<Way> open(const model::Identity& identity);
    // Takes `client`, already started, as the identity's from now on, and closes the one it had. False: no room.
    [[nodiscard]] bool put(const model::Identity& identity, std::unique_ptr<iothub::DeviceClient> client);
    // nullptr when there is none.
    [[nodiscard]] std::shared_ptr<Way> find(const model::Identity& identity) const;
    [[nodiscard]] std::size_t size() const { return ways_.size(); }

    // Closes what has been idle for longer than the limit.
    void close_idle();
    // For good. No handler of any of them runs when it returns.
    [[nodiscard]] Task<> close();

private:
    [[nodiscard]] bool make_room();
    void drop(std::map<model::Identity, std::shared_ptr<Way>>::iterator at);
    [[nodiscard]] Task<> end(std::shared_ptr<Way> way);

    MakeClient make_;
    Clock& clock_;
    std::size_t most_;
    Duration idle_limit_;
    std::map<model::Identity, std::shared_ptr<Way>> ways_;
    bool closed_{false};
    TaskScope closing_;
};

}  // namespace skerry::upstream
