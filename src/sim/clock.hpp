// Virtual time: it stands still until somebody advances it, usually a World.
//
// Promises: what is due happens in order of its time, and in the order it was asked for at the same time.
#pragma once

#include "base/clock.hpp"

#include <functional>
#include <memory>
#include <optional>

namespace skerry::sim {

class SimClock final : public Clock {
public:
    explicit SimClock(Executor executor);

    [[nodiscard]] WallTime wall() const override;  // begins at 2024-01-01T00:00:00Z
    [[nodiscard]] SteadyTime steady() const override;
    [[nodiscard]] Task<> sleep_until(SteadyTime when) override;

    void call_at(SteadyTime when, std::function<void()> action);

    // When the next thing is due; nullopt when nobody waits.
    [[nodiscard]] std::optional<SteadyTime> next() const;

    // Moves on to `when`, doing what is due on the way. Sleepers that wake run when the loop does, and see the new
    // time: step from one next() to the other, as World does, when that matters.
    void advance_to(SteadyTime when);
    void advance(Duration duration) { advance_to(steady() + duration); }

    // The wall clock is set, as by NTP or a person; steady time and sleepers don't notice.
    void jump_wall(Duration by);

private:
    struct State;
    std::shared_ptr<State> state_;  // shared with sleepers, which may outlive the clock by one turn of the loop
};

}  // namespace skerry::sim
