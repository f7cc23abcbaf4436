// A thread for work that blocks (fdatasync, SQLite, hashing); a simulation runs it inline.
//
// Promises: jobs of one worker run one after another, in the order they were given.
#pragma once

#include "base/task.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace skerry {

class Worker {
public:
    virtual ~Worker() = default;

    // Runs `job` on the worker and continues on the caller's loop when it is done. `job` must not throw.
    [[nodiscard]] virtual Task<> run_job(std::function<void()> job) = 0;

    template <class F>
    [[nodiscard]] auto run(F work) -> Task<decltype(work())> {
        using Value = decltype(work());
        std::optional<Value> value;
        co_await run_job([&] { value.emplace(work()); });
        co_return std::move(*value);
    }
};

// `name` is what `top -H` shows (15 characters at most). The thread starts with the first job.
[[nodiscard]] std::unique_ptr<Worker> make_thread_worker(std::string name);
[[nodiscard]] std::unique_ptr<Worker> make_inline_worker();

}  // namespace skerry
