// A limit on how long a coroutine may take.
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
template <class T>
struct TimeoutState {
    explicit TimeoutState(const Executor& executor) : done(executor) {}
    std::optional<Result<T>> result;
    Event done;
};

template <class T>
Task<> run_into(std::shared_ptr<TimeoutState<T>> state, Task<Result<T>> work) {
    state->result = co_await std::move(work);
    state->done.set();
}

template <class T>
Task<> time_out_into(std::shared_ptr<TimeoutState<T>> state, Clock& clock, Duration limit) {
    co_await clock.sleep(limit);
    state->done.set();
}
}  // namespace detail

// The result of `work`, or Errc::timeout after `limit`; `work` is then cancelled and has ended when this returns.
template <class T>
[[nodiscard]] Task<Result<T>> with_timeout(Clock& clock, Duration limit, Task<Result<T>> work) {
    const Executor executor = co_await boost::asio::this_coro::executor;
    const auto state = std::make_shared<detail::TimeoutState<T>>(executor);
    TaskScope scope(executor);
    scope.spawn("timed work", detail::run_into<T>(state, std::move(work)));
    scope.spawn("time limit", detail::time_out_into<T>(state, clock, limit));
    std::exception_ptr stopped;
    try {
        co_await state->done.wait();
    } catch (...) {
        stopped = std::current_exception();
    }
    // When we are cancelled ourselves, `work` may point into our caller's frame: it must end first all the same.
    if (stopped) co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
    co_await scope.close();
    if (stopped) std::rethrow_exception(stopped);
    if (state->result) co_return std::move(*state->result);
    co_return fail(Errc::timeout, "took too long");
}

}  // namespace skerry
