#include "sdk/blocking_loop.hpp"

#include "base/log.hpp"

#include <exception>

namespace skerry::sdk {

BlockingLoop::BlockingLoop()
    : network_(net::make_system_network(loop_.executor())),
      files_(storage::make_system_files()),
      requests_(std::make_unique<TaskScope>(loop_.executor())),
      stop_(loop_.executor()) {
    thread_ = std::thread([this] {
        try {
            (void)loop_.run([this](Event&) { return main(); }, Loop::Signals::ignored);
        } catch (const std::exception& thrown) { log::error("the module's loop ended: {}", thrown.what()); }
        ended_promise_.set_value();
    });
}

BlockingLoop::~BlockingLoop() {
    close({});
    if (thread_.joinable()) thread_.join();
}

Platform BlockingLoop::platform() { return {loop_.executor(), clock_, random_, *network_, *files_}; }

bool BlockingLoop::post(std::function<void()> job) {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    loop_.executor().execute(std::move(job));
    return true;
}

Task<int> BlockingLoop::main() {
    co_await stop_.wait();
    co_await requests_->close();
    if (last_) (void)co_await last_(platform());
    co_return 0;
}

void BlockingLoop::close(const std::function<Task<Result<>>(Platform)>& last) {
    {
        // In one step with the last post: what came before it is in the loop, and runs or unwinds there.
        const std::lock_guard lock(mutex_);
        if (!closed_)
            loop_.executor().execute([this, last] {
                last_ = last;
                stop_.set();
            });
        closed_ = true;
    }
    ended_.wait();
}

void BlockingLoop::wait() { ended_.wait(); }

}  // namespace skerry::sdk
