// What a scrape costs the loop: the page of a hub with so many modules, each with an input that all of them send to and
// a queue to the cloud.
#include "hub/metrics/metrics.hpp"
#include "hub/metrics/paper_queues_test.hpp"
#include "storage/files.hpp"

#include <benchmark/benchmark.h>

#include <fmt/format.h>

using namespace skerry;
using namespace skerry::hub;

namespace {

void page(benchmark::State& state) {
    const auto modules = state.range(0) / 2;
    SystemClock clock;
    Metrics metrics(clock,
                    label_text({{"iothub", "hub.example.net"}, {"edge_device", "edge1"}, {"instance_number", "1"}}),
                    std::chrono::hours(1));
    PaperQueues queues;
    const auto files = storage::make_system_files();
    const metrics::Process process(*files);
    for (std::int64_t n = 0; n < modules; ++n) {
        const auto module = *model::Identity::module("edge1", fmt::format("module{}", n));
        const auto message = std::make_shared<model::Message>();
        message->system = {
            {"connectionDeviceId", "edge1"}, {"connectionModuleId", module.module_id()}, {"outputName", "out"}};
        auto& received = metrics.received_from(module);
        for (int i = 0; i < 100; ++i) received.received(*message);
        const Delivery delivery{Offset{}, 0, message};
        for (auto* const sent : {&metrics.sent_to(module.id(), "in"), &metrics.sent_to("upstream", "", module.id())})
            for (int i = 0; i < 100; ++i) sent->sent(delivery, std::chrono::microseconds(20 << (i % 12)));
        metrics.twin_read(module, "upstream", std::chrono::milliseconds(20));
        for (const auto& endpoint : {module.id() + "/in", "iothub//" + module.id()})
            queues.queues.push_back(
                {.endpoint = endpoint, .priority = 0, .length = 5, .oldest = std::chrono::seconds(1)});
    }
    std::size_t bytes = 0;
    for (auto _ : state) {
        const auto text = metrics.text(queues, static_cast<std::size_t>(modules), process.status());
        bytes = text.size();
        benchmark::DoNotOptimize(text.data());
    }
    state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(page)->ArgName("queues")->Arg(10)->Arg(100)->Arg(1000)->Unit(benchmark::kMicrosecond);

void process_only(benchmark::State& state) {
    const auto files = storage::make_system_files();
    const metrics::Process process(*files);
    for (auto _ : state) benchmark::DoNotOptimize(process.status());
}
BENCHMARK(process_only)->Unit(benchmark::kMicrosecond);

}  // namespace
