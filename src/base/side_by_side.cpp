#include "base/side_by_side.hpp"

#include "base/event.hpp"
#include "base/task_scope.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <utility>

namespace skerry {

namespace {

struct Running {
    explicit Running(Executor executor) : ended(std::move(executor)) {}
    std::size_t count{0};
    Signal ended;
};

// Counted from the moment it is started; its end is told however it ends.
Task<> count(Running& running, Task<> task) {
    struct Ending {
        Running& running;
        ~Ending() {
            --running.count;
            running.ended.notify();
        }
    };
    const Ending ending{running};
    co_await std::move(task);
}

Task<> start_all(TaskScope& scope, Running& running, std::vector<Task<>> tasks, std::size_t most) {
    for (auto& task : tasks) {
        while (running.count > 0 && running.count >= most) co_await running.ended.wait();
        ++running.count;
        scope.spawn("side by side", count(running, std::move(task)));
    }
    while (running.count > 0) co_await running.ended.wait();
}

}  // namespace

Task<> run_side_by_side(std::vector<Task<>> tasks, std::size_t most) {
    const Executor executor = co_await boost::asio::this_coro::executor;
    Running running(executor);
    TaskScope scope(executor);
    std::exception_ptr stopped;
    try {
        co_await start_all(scope, running, std::move(tasks), most);
    } catch (...) { stopped = std::current_exception(); }
    if (stopped) co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
    co_await scope.close();
    if (stopped) std::rethrow_exception(stopped);
}

}  // namespace skerry
