// A world in one thread: a loop, virtual time, chance from a seed and a network. Hours pass in milliseconds, and the
// same seed gives the same run.
//
//   sim::World world(seed);
//   const auto answer = world.run(ask(world.network(), world.clock()));   // a Task<T> to its end
//   world.run_for(10min);                                                 // whatever happens meanwhile
//
// Tasks that outlive a run belong to a TaskScope of the test, declared after the world.
#pragma once

#include "base/loop.hpp"
#include "base/task_scope.hpp"
#include "sim/clock.hpp"
#include "sim/network.hpp"
#include "sim/random.hpp"

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace skerry::sim {

class World {
public:
    explicit World(std::uint64_t seed = 1);
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    [[nodiscard]] Executor executor() { return loop_.executor(); }
    [[nodiscard]] SimClock& clock() { return clock_; }
    [[nodiscard]] SeededRandom& random() { return random_; }
    [[nodiscard]] SimNetwork& network() { return network_; }

    // Runs until `task` has ended and gives its value, or throws what it threw. Throws std::runtime_error when nothing
    // is left to wait for, or when the task has not ended after `limit` of virtual time.
    template <class T>
    T run(Task<T> task, Duration limit = std::chrono::hours(24));

    void run_for(Duration duration);
    // Runs what is ready, without letting time pass.
    void settle();

private:
    template <class T>
    struct Outcome {
        std::optional<T> value;
        std::exception_ptr failure;
        bool ended{false};
    };
    template <class T>
    static Task<> run_into(std::shared_ptr<Outcome<T>> outcome, Task<T> task);
    static Task<bool> and_true(Task<> task);

    void run_until(const bool& ended, Duration limit);

    Loop loop_;
    SimClock clock_;
    SeededRandom random_;
    SimNetwork network_;
};

template <class T>
Task<> World::run_into(std::shared_ptr<Outcome<T>> outcome, Task<T> task) {
    try {
        outcome->value.emplace(co_await std::move(task));
    } catch (...) { outcome->failure = std::current_exception(); }
    outcome->ended = true;
}

template <class T>
T World::run(Task<T> task, Duration limit) {
    if constexpr (std::is_void_v<T>) {
        (void)run(and_true(std::move(task)), limit);
    } else {
        // Shared with the task, which stays in the loop when the run fails.
        const auto outcome = std::make_shared<Outcome<T>>();
        TaskScope scope(executor());
        scope.spawn("run", run_into<T>(outcome, std::move(task)));
        run_until(outcome->ended, limit);
        if (outcome->failure) std::rethrow_exception(outcome->failure);
        return std::move(*outcome->value);
    }
}

}  // namespace skerry::sim
