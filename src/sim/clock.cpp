#include "sim/clock.hpp"

#include "base/event.hpp"

#include <map>

namespace skerry::sim {

using namespace std::chrono_literals;

struct SimClock::State {
    using Key = std::pair<SteadyTime, std::uint64_t>;

    explicit State(Executor on) : executor(std::move(on)) {}

    Executor executor;
    SteadyTime now{24h};  // some way from zero, so that subtracting from it is safe
    WallTime wall_at_zero{std::chrono::sys_days{std::chrono::year{2024} / 1 / 1} - 24h};
    std::map<Key, std::function<void()>> due;
    std::uint64_t asked{0};

    Key add(SteadyTime when, std::function<void()> action) {
        const Key key{when, asked++};
        due.emplace(key, std::move(action));
        return key;
    }
};

SimClock::SimClock(Executor executor) : state_(std::make_shared<State>(std::move(executor))) {}

WallTime SimClock::wall() const {
    return state_->wall_at_zero + std::chrono::duration_cast<WallTime::duration>(state_->now.time_since_epoch());
}
SteadyTime SimClock::steady() const { return state_->now; }
void SimClock::jump_wall(Duration by) { state_->wall_at_zero += std::chrono::duration_cast<WallTime::duration>(by); }

Task<> SimClock::sleep_until(SteadyTime when) {
    const auto state = state_;
    if (when <= state->now) co_return;
    const auto woken = std::make_shared<Event>(state->executor);
    struct Entry {
        State& state;
        State::Key key;
        ~Entry() { state.due.erase(key); }
    };
    const Entry entry{*state, state->add(when, [woken] { woken->set(); })};
    co_await woken->wait();
}

void SimClock::call_at(SteadyTime when, std::function<void()> action) { state_->add(when, std::move(action)); }

std::optional<SteadyTime> SimClock::next() const {
    if (state_->due.empty()) return std::nullopt;
    return state_->due.begin()->first.first;
}

void SimClock::advance_to(SteadyTime when) {
    auto& state = *state_;
    while (!state.due.empty() && state.due.begin()->first.first <= when) {
        auto first = state.due.extract(state.due.begin());
        state.now = std::max(state.now, first.key().first);
        first.mapped()();
    }
    state.now = std::max(state.now, when);
}

}  // namespace skerry::sim
