// What it costs to plan: bench_agent, one core. The last argument is the number of modules; edgeAgent and edgeHub come
// on top. `whole` means a deployment that is a transaction, which is the default.
#include "agent/deployment.hpp"
#include "agent/plan.hpp"

#include <benchmark/benchmark.h>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <fmt/format.h>

#include <memory>
#include <string>

using namespace skerry;
using namespace skerry::agent;
namespace json = boost::json;

namespace {

DeviceFacts device() {
    DeviceFacts facts;
    facts.device_id = "edge-1";
    facts.hub_host = "hub.example.net";
    facts.device_host = "edge.example.net";
    facts.management_uri = "unix:///var/run/iotedge/mgmt.sock";
    facts.workload_listen_uri = "unix:///var/lib/aziot/edged/mnt";
    facts.network_id = "azure-iot-edge";
    return facts;
}

json::object module(std::string image) {
    return {
        {"type", "docker"},
        {"status", "running"},
        {"restartPolicy", "always"},
        {"settings",
         {{"image", std::move(image)},
          {"createOptions", R"({"HostConfig":{"PortBindings":{"502/tcp":[{"HostPort":"502"}]},"Memory":67108864}})"}}},
        {"env", {{"PERIOD", {{"value", "1000"}}}, {"TARGET", {{"value", "opc.tcp://10.0.0.17:4840"}}}}}};
}

// Ten modules of each startup order; the first one's image has this tag.
json::object desired(std::int64_t count, std::string_view first_tag) {
    json::object modules;
    for (std::int64_t n = 0; n < count; ++n) {
        auto one = module(fmt::format("registry.example.net/plant/module{}:{}", n, n == 0 ? first_tag : "1.0"));
        one["startupOrder"] = n / 10;
        modules[fmt::format("module{}", n)] = std::move(one);
    }
    return {{"schemaVersion", "1.1"},
            {"runtime", {{"type", "docker"}, {"settings", json::object{}}}},
            {"systemModules",
             {{"edgeAgent", {{"type", "docker"}, {"settings", {{"image", "skerry/agent:1.0"}}}}},
              {"edgeHub", module("skerry/hub:1.0")}}},
            {"modules", std::move(modules)}};
}

std::shared_ptr<const Deployment> deployment(std::int64_t count, std::string_view first_tag = "1.0") {
    return make_deployment(desired(count, first_tag), 1, device()).value();
}

PlanInput input(const Deployment& deployment) {
    PlanInput made;
    made.desired = deployment.modules;
    made.whole = true;
    return made;
}

// All modules of that deployment run.
void let_run(PlanInput& input, const Deployment& deployment) {
    for (const auto& module : deployment.modules)
        input.observed[module.name] = {
            .fingerprint = module.fingerprint,
            .health = {.state = model::RuntimeState::running, .ever_started = true, .up_for = std::chrono::hours(1)}};
}

void run(benchmark::State& state, const PlanInput& input, std::size_t expected) {
    for (auto _ : state) {
        const auto made = plan(input);
        if (made.commands.size() != expected) state.SkipWithError("another plan than expected");
        benchmark::DoNotOptimize(made);
    }
}

// The images of all are to be made ready, each after its identity.
void all_new(benchmark::State& state) {
    auto first = input(*deployment(state.range(0)));
    run(state, first, 2 * static_cast<std::size_t>(state.range(0) + 1));
}
// The images are there: the modules of the first order are made, the others wait for them.
void all_prepared(benchmark::State& state) {
    auto second = input(*deployment(state.range(0)));
    for (const auto& module : second.desired) second.prepared.insert(module.name);
    const auto commands = plan(second).commands.size();
    if (commands < 10) state.SkipWithError("the first ten are not made");
    run(state, second, commands);
}
void unchanged(benchmark::State& state) {
    const auto made = deployment(state.range(0));
    auto quiet = input(*made);
    let_run(quiet, *made);
    run(state, quiet, 0);
}
void one_changed(benchmark::State& state) {
    auto changed = input(*deployment(state.range(0), "1.1"));
    let_run(changed, *deployment(state.range(0)));
    run(state, changed, 2);
}
// From the twin's JSON: checking the manifest and taking every fingerprint comes before the plan, once per deployment.
void from_the_twin(benchmark::State& state) {
    const auto before = deployment(state.range(0));
    const auto twin = desired(state.range(0), "1.1");
    const auto facts = device();
    for (auto _ : state) {
        auto changed = input(*make_deployment(twin, 2, facts).value());
        let_run(changed, *before);
        if (plan(changed).commands.size() != 2) state.SkipWithError("another plan than expected");
    }
}

void sizes(benchmark::internal::Benchmark* benchmark) { benchmark->Arg(50)->Arg(100)->Unit(benchmark::kMicrosecond); }
BENCHMARK(all_new)->Apply(sizes);
BENCHMARK(all_prepared)->Apply(sizes);
BENCHMARK(unchanged)->Apply(sizes);
BENCHMARK(one_changed)->Apply(sizes);
BENCHMARK(from_the_twin)->Apply(sizes);

}  // namespace
