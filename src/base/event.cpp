#include "base/event.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace skerry {

namespace asio = boost::asio;

Task<> next_turn() { co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable); }

// A timer that never fires is Asio's condition variable: cancel() wakes every waiter.
struct Signal::State {
    explicit State(const Executor& executor) : timer(executor, asio::steady_timer::time_point::max()) {}
    asio::steady_timer timer;
    bool destroyed{false};
};

Signal::Signal(Executor executor) : state_(std::make_shared<State>(executor)) {}
Signal::Signal(Signal&&) noexcept = default;
Signal& Signal::operator=(Signal&&) noexcept = default;

Signal::~Signal() {
    if (!state_) return;
    state_->destroyed = true;
    state_->timer.cancel();
}

Task<> Signal::wait() {
    const auto state = state_;
    co_await state->timer.async_wait(asio::as_tuple(asio::use_awaitable));
    const auto cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
    if (state->destroyed || cancelled != asio::cancellation_type::none)
        throw boost::system::system_error(asio::error::operation_aborted);
}

void Signal::notify() { state_->timer.cancel(); }

}  // namespace skerry
