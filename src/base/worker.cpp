#include "base/worker.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/prctl.h>

namespace skerry {

namespace asio = boost::asio;

namespace {
class ThreadWorker final : public Worker {
public:
    explicit ThreadWorker(std::string name) : name_(std::move(name)) {}
    ~ThreadWorker() override {
        if (pool_) pool_->join();
    }

    Task<> run_job(std::function<void()> job) override {
        start();
        const Executor loop = co_await asio::this_coro::executor;
        // The job is not cancellable: the caller's frame, which it points into, must outlive it.
        co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
            [this, &job, &loop](auto handler) {
                asio::post(*pool_,
                           [&job, loop, guard = asio::make_work_guard(loop), handler = std::move(handler)]() mutable {
                               job();
                               // The guard goes back with the answer: once that runs the loop may be gone, before this
                               // returns.
                               asio::post(loop, [guard = std::move(guard), handler = std::move(handler)]() mutable {
                                   guard.reset();
                                   std::move(handler)();
                               });
                           });
            },
            asio::use_awaitable);
    }

private:
    void start() {
        if (pool_) return;
        pool_ = std::make_unique<asio::thread_pool>(1);
        asio::post(*pool_, [name = name_] { ::prctl(PR_SET_NAME, name.c_str(), 0, 0, 0); });
    }

    std::string name_;
    std::unique_ptr<asio::thread_pool> pool_;
};

class InlineWorker final : public Worker {
public:
    Task<> run_job(std::function<void()> job) override {
        job();
        co_return;
    }
};
}  // namespace

std::unique_ptr<Worker> make_thread_worker(std::string name) { return std::make_unique<ThreadWorker>(std::move(name)); }
std::unique_ptr<Worker> make_inline_worker() { return std::make_unique<InlineWorker>(); }

}  // namespace skerry
