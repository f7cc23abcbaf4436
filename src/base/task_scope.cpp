#include "base/task_scope.hpp"

#include "base/event.hpp"
#include "base/log.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <list>

namespace skerry {

namespace {
bool is_cancellation(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const boost::system::system_error& failure) {
        return failure.code() == boost::asio::error::operation_aborted;
    } catch (...) { return false; }
}

std::string text_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& failure) { return failure.what(); } catch (...) {
        return "an exception of unknown type";
    }
}

// co_spawn() runs a coroutine up to its first wait when it is called on the loop's thread; a task that begins in the
// middle of its owner's statement would see the owner half changed.
Task<> begin_later(Task<> task) {
    co_await boost::asio::post(co_await boost::asio::this_coro::executor, boost::asio::use_awaitable);
    co_await std::move(task);
}
}  // namespace

struct TaskScope::State {
    struct Entry {
        std::string name;
        boost::asio::cancellation_signal signal;
    };

    explicit State(Executor on) : executor(on), ended(std::move(on)) {}

    Executor executor;
    std::list<Entry> entries;
    Signal ended;
    bool closing{false};
};

TaskScope::TaskScope(Executor executor) : state_(std::make_shared<State>(std::move(executor))) {}

TaskScope::~TaskScope() { cancel(); }

void TaskScope::spawn(std::string name, Task<> task) {
    if (state_->closing) return;
    auto entry = state_->entries.emplace(state_->entries.end());
    entry->name = std::move(name);
    boost::asio::co_spawn(state_->executor, begin_later(std::move(task)),
                          boost::asio::bind_cancellation_slot(
                              entry->signal.slot(), [state = state_, entry](const std::exception_ptr& error) {
                                  if (error && !is_cancellation(error))
                                      log::error("task {} ended: {}", entry->name, text_of(error));
                                  // The slot of the signal is in use until this handler returns.
                                  boost::asio::post(state->executor, [state, entry] {
                                      state->entries.erase(entry);
                                      state->ended.notify();
                                  });
                              }));
}

void TaskScope::cancel() {
    state_->closing = true;
    // A cancelled task may end at once and change the list: walk over names that stay.
    for (auto entry = state_->entries.begin(); entry != state_->entries.end();) {
        auto current = entry++;
        current->signal.emit(boost::asio::cancellation_type::terminal);
    }
}

Task<> TaskScope::close() {
    cancel();
    co_await idle();
}

Task<> TaskScope::idle() {
    const auto state = state_;
    while (!state->entries.empty()) co_await state->ended.wait();
}

std::size_t TaskScope::size() const { return state_->entries.size(); }

}  // namespace skerry
