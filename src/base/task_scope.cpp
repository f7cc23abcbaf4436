#include "base/task_scope.hpp"

#include "base/log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <list>

namespace skerry {

namespace asio = boost::asio;

namespace {
bool is_cancellation(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const boost::system::system_error& failure) {
        return failure.code() == asio::error::operation_aborted;
    } catch (...) { return false; }
}

std::string text_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& failure) { return failure.what(); } catch (...) {
        return "an exception of unknown type";
    }
}

Task<> unwind_if_cancelled() {
    const auto cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
    if (cancelled != asio::cancellation_type::none) throw boost::system::system_error(asio::error::operation_aborted);
}

// co_spawn() runs a coroutine up to its first wait when it is called on the loop's thread; a task that begins in the
// middle of its owner's statement would see the owner half changed.
Task<> begin_later(Task<> task) {
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    co_await std::move(task);
}
}  // namespace

struct TaskScope::State {
    struct Entry {
        std::string name;
        asio::cancellation_signal signal;
    };

    explicit State(Executor on) : executor(on), ended(std::move(on), asio::steady_timer::time_point::max()) {}

    void erase(std::list<Entry>::iterator entry) {
        entries.erase(entry);
        ended.cancel();
    }

    Executor executor;
    std::list<Entry> entries;
    asio::steady_timer ended;  // never fires; cancel() wakes every waiter
    bool closing{false};
};

TaskScope::TaskScope(Executor executor) : state_(std::make_shared<State>(std::move(executor))) {}

TaskScope::~TaskScope() { cancel(); }

void TaskScope::spawn(std::string name, Task<> task) {
    if (state_->closing) return;
    auto entry = state_->entries.emplace(state_->entries.end());
    entry->name = std::move(name);
    asio::co_spawn(
        state_->executor, begin_later(std::move(task)),
        asio::bind_cancellation_slot(entry->signal.slot(), [state = state_, entry](const std::exception_ptr& error) {
            if (error && !is_cancellation(error)) log::error("task {} ended: {}", entry->name, text_of(error));
            // The slot of the signal is in use until this handler returns.
            asio::post(state->executor, [state, entry] { state->erase(entry); });
        }));
}

void TaskScope::cancel() {
    state_->closing = true;
    // A cancelled task may end at once and change the list: walk over names that stay.
    for (auto entry = state_->entries.begin(); entry != state_->entries.end();) {
        auto current = entry++;
        current->signal.emit(asio::cancellation_type::terminal);
    }
}

Task<> TaskScope::close() {
    const auto state = state_;
    cancel();
    // What the tasks use goes with whoever closes. So it waits for them also when it is told to stop itself: no
    // cancellation reaches this wait, and none is forgotten.
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    while (!state->entries.empty())
        co_await state->ended.async_wait(
            asio::bind_cancellation_slot(asio::cancellation_slot(), asio::as_tuple(asio::use_awaitable)));
    co_await asio::this_coro::throw_if_cancelled(throws);
    co_await unwind_if_cancelled();
}

Task<> TaskScope::idle() {
    const auto state = state_;
    while (!state->entries.empty()) {
        co_await state->ended.async_wait(asio::as_tuple(asio::use_awaitable));
        co_await unwind_if_cancelled();
    }
}

std::size_t TaskScope::size() const { return state_->entries.size(); }

}  // namespace skerry
