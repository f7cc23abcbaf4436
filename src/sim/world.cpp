#include "sim/world.hpp"

#include <stdexcept>

namespace skerry::sim {

World::World(std::uint64_t seed)
    : clock_(loop_.executor()), random_(seed), network_(loop_.executor(), clock_, random_) {}

Task<bool> World::and_true(Task<> task) {
    co_await std::move(task);
    co_return true;
}

void World::settle() {
    while (loop_.poll() > 0) {}
}

void World::run_until(const bool& ended, Duration limit) {
    const auto deadline = clock_.steady() + limit;
    for (;;) {
        settle();
        if (ended) return;
        const auto next = clock_.next();
        if (!next) throw std::runtime_error("the world stands still: the task waits, and nothing is due any more");
        if (*next > deadline) throw std::runtime_error("the task has not ended within its limit of virtual time");
        clock_.advance_to(*next);
    }
}

void World::run_for(Duration duration) {
    const auto end = clock_.steady() + duration;
    settle();
    for (auto next = clock_.next(); next && *next <= end; next = clock_.next()) {
        clock_.advance_to(*next);
        settle();
    }
    clock_.advance_to(end);
    settle();
}

}  // namespace skerry::sim
