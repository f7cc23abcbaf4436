#include "net/descriptor.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace skerry::net {

namespace asio = boost::asio;

namespace {
constexpr unsigned transfers_per_turn = 16;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

Task<> unwind_if_cancelled() {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none)
        throw boost::system::system_error(asio::error::operation_aborted);
}
}  // namespace

struct Descriptor::State {
    explicit State(const Executor& executor) : descriptor(executor) {}
    asio::posix::stream_descriptor descriptor;
    unsigned transfers{0};
};

Error closed_here() { return Error{Errc::closed, "the connection was closed on this side"}; }

Result<Descriptor> Descriptor::adopt(const Executor& executor, int number) {
    const int flags = ::fcntl(number, F_GETFL);
    if (flags < 0 || ::fcntl(number, F_SETFL, flags | O_NONBLOCK) < 0) {
        const auto error = system_error("making a descriptor non-blocking", errno);
        ::close(number);
        return fail(error);
    }
    auto state = std::make_shared<State>(executor);
    boost::system::error_code failed;
    state->descriptor.assign(number, failed);
    if (failed) {
        ::close(number);
        return fail(system_error("watching a descriptor", failed.value()));
    }
    return Descriptor(std::move(state));
}

Descriptor::Descriptor(std::shared_ptr<State> state) : state_(std::move(state)) {}
Descriptor::Descriptor(Descriptor&&) noexcept = default;
Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    if (this != &other) {
        close();
        state_ = std::move(other.state_);
    }
    return *this;
}
Descriptor::~Descriptor() { close(); }

bool Descriptor::is_open() const { return state_->descriptor.is_open(); }

int Descriptor::number() const { return is_open() ? state_->descriptor.native_handle() : -1; }

void Descriptor::close() {
    if (!state_) return;
    boost::system::error_code ignored;
    state_->descriptor.close(ignored);
}

Executor Descriptor::executor() const { return state_->descriptor.get_executor(); }

Task<Result<>> Descriptor::wait(Until until) {
    const auto state = state_;
    if (!state->descriptor.is_open()) co_return fail(closed_here());
    state->transfers = 0;
    const auto kind = until == Until::readable ? asio::posix::stream_descriptor::wait_read
                                               : asio::posix::stream_descriptor::wait_write;
    const auto [failed] = co_await state->descriptor.async_wait(kind, as_result);
    if (failed) co_await unwind_if_cancelled();
    if (!state->descriptor.is_open()) co_return fail(closed_here());
    if (failed) co_return fail(system_error("waiting for a socket", failed.value()));
    co_return Result<>{};
}

Task<Result<>> Descriptor::pause(Duration duration) {
    const auto state = state_;
    asio::steady_timer timer(state->descriptor.get_executor(), duration);
    const auto [failed] = co_await timer.async_wait(as_result);
    if (failed) co_await unwind_if_cancelled();
    if (!state->descriptor.is_open()) co_return fail(closed_here());
    co_return Result<>{};
}

bool Descriptor::turn_is_over() { return ++state_->transfers > transfers_per_turn; }

Task<Result<>> Descriptor::next_turn() {
    const auto state = state_;
    state->transfers = 0;
    co_await asio::post(state->descriptor.get_executor(), asio::use_awaitable);
    co_await unwind_if_cancelled();
    if (!state->descriptor.is_open()) co_return fail(closed_here());
    co_return Result<>{};
}

}  // namespace skerry::net
