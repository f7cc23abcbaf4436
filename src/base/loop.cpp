#include "base/loop.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <cstdlib>
#include <exception>

namespace skerry {

namespace asio = boost::asio;

struct Loop::State {
    asio::io_context context{1};
};

Loop::Loop() : state_(std::make_unique<State>()) {}
Loop::~Loop() = default;

Executor Loop::executor() { return state_->context.get_executor(); }

namespace {
void watch_signals(asio::signal_set& signals, Event& stop) {
    signals.async_wait([&signals, &stop](const boost::system::error_code& failed, int number) {
        if (failed) return;
        if (stop.is_set()) std::_Exit(128 + number);
        stop.set();
        watch_signals(signals, stop);
    });
}
}  // namespace

int Loop::run(const std::function<Task<int>(Event& stop)>& main, Signals which) {
    std::signal(SIGPIPE, SIG_IGN);
    Event stop(executor());
    asio::signal_set signals(state_->context);
    if (which == Signals::watched) {
        signals.add(SIGINT);
        signals.add(SIGTERM);
        watch_signals(signals, stop);
    }
    int exit_code = EXIT_FAILURE;
    std::exception_ptr failure;
    asio::co_spawn(state_->context, main(stop), [&](std::exception_ptr error, int value) {
        failure = std::move(error);
        exit_code = value;
        signals.cancel();
        state_->context.stop();
    });
    state_->context.run();
    if (failure) std::rethrow_exception(failure);
    return exit_code;
}

std::size_t Loop::poll() {
    state_->context.restart();
    return state_->context.poll();
}

}  // namespace skerry
