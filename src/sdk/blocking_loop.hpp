// A loop on a thread of its own, and calls into it that wait for their answer. For the blocking façade only.
//
// Promises: every call() ends: with the task's result, or with Errc::closed when close() comes first.
// Threads:  any; the one lock of the SDK is here, since this is where threads meet.
#pragma once

#include "base/loop.hpp"
#include "base/task_scope.hpp"
#include "platform/platform.hpp"

#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace skerry::sdk {

class BlockingLoop {
public:
    BlockingLoop();
    ~BlockingLoop();  // close() without a last task, unless it was called before

    // Runs on the loop what `make` returns (it is called there), and waits for the result.
    template <class T>
    [[nodiscard]] Result<T> call(const std::function<Task<Result<T>>(Platform)>& make) {
        auto answer = std::make_shared<Answer<T>>();
        auto result = answer->promise.get_future();
        // The task is the answer's only owner: when it unwinds without a result, the answer says so.
        const bool posted = post([this, &make, answer = std::move(answer)]() mutable {
            requests_->spawn("call", answer_with<T>(make(platform()), std::move(answer)));
        });
        if (!posted) return fail(Errc::closed, "the module was closed");
        return result.get();
    }

    // Ends the calls that wait, then runs `last` and ends the thread. Idempotent.
    void close(const std::function<Task<Result<>>(Platform)>& last);
    void wait();  // until close() has ended

private:
    // Answers when the task that holds it unwinds without a result.
    template <class T>
    struct Answer {
        std::promise<Result<T>> promise;
        bool given{false};
        ~Answer() {
            if (!given) promise.set_value(fail(Errc::closed, "the module was closed"));
        }
    };
    template <class T>
    static Task<> answer_with(Task<Result<T>> task, std::shared_ptr<Answer<T>> answer) {
        auto result = co_await std::move(task);
        answer->given = true;
        answer->promise.set_value(std::move(result));
    }

    // False after close() has begun. What is posted before runs before.
    bool post(std::function<void()> job);
    [[nodiscard]] Platform platform();
    [[nodiscard]] Task<int> main();

    Loop loop_;
    SystemClock clock_;
    SystemRandom random_;
    std::unique_ptr<net::Network> network_;
    std::unique_ptr<storage::Files> files_;
    std::unique_ptr<TaskScope> requests_;
    Event stop_;
    std::function<Task<Result<>>(Platform)> last_;

    std::mutex mutex_;
    bool closed_{false};
    std::promise<void> ended_promise_;
    std::shared_future<void> ended_{ended_promise_.get_future()};
    std::thread thread_;
};

}  // namespace skerry::sdk
