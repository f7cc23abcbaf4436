// A limit on how long a coroutine may take, and the race of two.
#pragma once

#include "base/clock.hpp"
#include "base/event.hpp"
#include "base/task_scope.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <utility>

namespace skerry {

namespace detail {
// What racing tasks share; each holds it, for it may end after its caller.
template <class T>
struct RaceState {
    explicit RaceState(const Executor& executor) : done(executor) {}
    std::optional<Result<T>> result;
    Event done;
};

template <class T>
Task<> run_into(std::shared_ptr<RaceState<T>> state, Task<Result<T>> work) {
    // Set also when `work` throws: whoever waits for it must not wait for ever.
    struct SetAtEnd {
        Event& done;
        ~SetAtEnd() { done.set(); }
    } set_at_end{state->done};
    auto result = co_await std::move(work);
    if (!state->result) state->result = std::move(result);
}

template <class T>
Task<> time_out_into(std::shared_ptr<RaceState<T>> state, Clock& clock, Duration limit) {
    co_await clock.sleep(limit);
    state->done.set();
}

// Waits until one of the tasks is done, then ends them all. When we are cancelled ourselves they may point into our
// caller's frame: they must end first all the same.
inline Task<> settle(TaskScope& scope, Event& done) {
    std::exception_ptr stopped;
    try {
        co_await done.wait();
    } catch (...) { stopped = std::current_exception(); }
    if (stopped) co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
    co_await scope.close();
    if (stopped) std::rethrow_exception(stopped);
}
}  // namespace detail

// The result of `work`, or Errc::timeout after `limit`; `work` is then cancelled and has ended when this returns.
template <class T>
[[nodiscard]] Task<Result<T>> with_timeout(Clock& clock, Duration limit, Task<Result<T>> work) {
    const Executor executor = co_await boost::asio::this_coro::executor;
    const auto state = std::make_shared<detail::RaceState<T>>(executor);
    TaskScope scope(executor);
    scope.spawn("timed work", detail::run_into<T>(state, std::move(work)));
    scope.spawn("time limit", detail::time_out_into<T>(state, clock, limit));
    co_await detail::settle(scope, state->done);
    if (state->result) co_return std::move(*state->result);
    co_return fail(Errc::timeout, "took too long");
}

// The result of whichever ends first; the other one is then cancelled and has ended when this returns.
template <class T>
[[nodiscard]] Task<Result<T>> first_of(Task<Result<T>> one, Task<Result<T>> other) {
    const Executor executor = co_await boost::asio::this_coro::executor;
    const auto state = std::make_shared<detail::RaceState<T>>(executor);
    TaskScope scope(executor);
    scope.spawn("first of two", detail::run_into<T>(state, std::move(one)));
    scope.spawn("second of two", detail::run_into<T>(state, std::move(other)));
    co_await detail::settle(scope, state->done);
    if (state->result) co_return std::move(*state->result);
    co_return fail(Errc::internal, "ended without a result");
}

}  // namespace skerry
