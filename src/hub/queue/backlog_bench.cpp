// What a backlog costs: 1,000,000 messages of 256 bytes come while their consumer is away, the store is opened again
// with them, and they are taken. SKERRY_BENCH_FOLDER is where (default: the working folder, on the disk to be
// measured), SKERRY_BENCH_MESSAGES how many.
#include "base/log.hpp"
#include "base/loop.hpp"
#include "base/task_scope.hpp"
#include "hub/queue/queue_store.hpp"

#include <benchmark/benchmark.h>

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>

using namespace skerry;
using namespace skerry::hub;

namespace {
constexpr std::size_t in_flight = 256;
constexpr std::string_view input = "edge-device/filter/input1";

std::uint64_t message_count() {
    const auto* text = std::getenv("SKERRY_BENCH_MESSAGES");
    return text ? std::strtoull(text, nullptr, 10) : 1'000'000;
}

std::filesystem::path folder() {
    const auto* text = std::getenv("SKERRY_BENCH_FOLDER");
    return std::filesystem::absolute(text ? text : ".") / "skerry-backlog-bench";
}

// "VmRSS" of this process and the like, in bytes.
std::uint64_t from_proc(const char* file, std::string_view name) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);)
        if (line.starts_with(name)) return std::strtoull(line.c_str() + name.size() + 1, nullptr, 10);
    return 0;
}

// As the hub stamps them.
model::SharedMessage message(std::uint64_t number) {
    auto made = std::make_shared<model::Message>();
    made->body.assign(256, 'x');
    made->system = {{"connectionDeviceId", "edge-device"},
                    {"connectionModuleId", "sensor"},
                    {"outputName", "output1"},
                    {"edgeMessageId", fmt::format("0f9a4c1e-63d2-4b7a-0000-{:012x}", number)},
                    {"edgeHubOriginInterface", "internal"}};
    return made;
}

// One run of a store, on a thread of its own as in the hub.
class Run {
public:
    template <class Body>
    void with_store(Body body) {
        Loop loop;
        (void)loop.run(
            [&](Event&) -> Task<int> {
                const auto begun = std::chrono::steady_clock::now();
                auto opened = co_await QueueStore::open(*files_, folder(), *worker_, clock_, loop.executor(), {});
                if (!opened) {
                    log::fatal("{}", opened.error().text);
                    co_return 1;
                }
                opening_ = seconds_since(begun);
                co_await body(**opened, loop.executor());
                co_await (*opened)->close();
                opened->reset();
                co_return 0;
            },
            Loop::Signals::ignored);
    }
    [[nodiscard]] double opening() const { return opening_; }
    [[nodiscard]] static double seconds_since(std::chrono::steady_clock::time_point begun) {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    }

private:
    std::unique_ptr<storage::Files> files_ = storage::make_system_files();
    std::unique_ptr<Worker> worker_ = make_thread_worker("log");
    SystemClock clock_;
    double opening_{0};
};

Task<> publish(QueueStore& store, std::uint64_t& next, std::uint64_t end) {
    while (next < end) {
        const auto stored = co_await store.append(message(next++), {{std::string(input), default_priority, {}}});
        if (!stored) log::fatal("{}", stored.error().text);
    }
}

Task<> publish_all(QueueStore& store, Executor executor, std::uint64_t count) {
    TaskScope scope(executor);
    std::uint64_t next = 0;
    for (std::size_t n = 0; n < in_flight; ++n) scope.spawn("publisher", publish(store, next, count));
    co_await scope.idle();
}

void intake(benchmark::State& state) {
    log::configure(log::Level::warning, log::Format::text);
    const auto count = message_count();
    const auto payload = count * message(0)->size();
    for (auto _ : state) {
        std::filesystem::remove_all(folder());
        double seconds = 0;
        std::uint64_t written = 0;
        Run run;
        run.with_store([&](QueueStore& store, Executor executor) -> Task<> {
            const auto before = from_proc("/proc/self/io", "write_bytes:");
            const auto begun = std::chrono::steady_clock::now();
            co_await publish_all(store, executor, count);
            seconds = Run::seconds_since(begun);
            written = from_proc("/proc/self/io", "write_bytes:") - before;
        });
        state.SetIterationTime(seconds);
        state.counters["messages/s"] = static_cast<double>(count) / seconds;
        state.counters["written/byte"] = static_cast<double>(written) / static_cast<double>(payload);
        state.counters["resident MB"] = static_cast<double>(from_proc("/proc/self/status", "VmRSS:")) / 1024;
        state.counters["peak MB"] = static_cast<double>(from_proc("/proc/self/status", "VmHWM:")) / 1024;
    }
}

void opening(benchmark::State& state) {
    for (auto _ : state) {
        Run run;
        std::uint64_t length = 0;
        run.with_store([&](QueueStore& store, Executor) -> Task<> {
            length = store.endpoint(input).length();
            co_return;
        });
        state.SetIterationTime(run.opening());
        state.counters["messages"] = static_cast<double>(length);
        state.counters["ms"] = run.opening() * 1000;
        state.counters["peak MB"] = static_cast<double>(from_proc("/proc/self/status", "VmHWM:")) / 1024;
    }
}

void drain(benchmark::State& state) {
    for (auto _ : state) {
        Run run;
        std::uint64_t taken = 0;
        double seconds = 0;
        run.with_store([&](QueueStore& store, Executor) -> Task<> {
            auto& queue = store.endpoint(input);
            const auto begun = std::chrono::steady_clock::now();
            for (;;) {
                const auto some = co_await queue.take(100);
                if (!some || some->empty()) break;
                for (const auto& delivery : *some) queue.acknowledge(delivery);
                taken += some->size();
            }
            seconds = Run::seconds_since(begun);
        });
        state.SetIterationTime(seconds);
        state.counters["messages"] = static_cast<double>(taken);
        state.counters["messages/s"] = static_cast<double>(taken) / seconds;
        state.counters["resident MB"] = static_cast<double>(from_proc("/proc/self/status", "VmRSS:")) / 1024;
    }
    std::filesystem::remove_all(folder());
}

// In this order: each goes on where the one before stopped.
BENCHMARK(intake)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(opening)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(drain)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
}  // namespace
