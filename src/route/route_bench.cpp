// How many messages a second the conditions of routes are evaluated for: bench_route, one core.
#include "route/route.hpp"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

using namespace skerry;

namespace {
model::Message message() {
    model::Message made;
    made.properties = {{"class", "a"}, {"temperature", "21.5"}, {"site", "north"}};
    made.system = {{"contentType", "application/json"},
                   {"contentEncoding", "utf-8"},
                   {"outputName", "out"},
                   {"connectionDeviceId", "edge-1"},
                   {"connectionModuleId", "sensor"},
                   {"edgeMessageId", "0f9a4c1e-63d2-4b7a-0000-00000000001f"}};
    return made;
}

// About 1 KiB, what is asked for in its middle.
std::string body() {
    std::string text = R"({"device":"pump-17","readings":[)";
    for (int n = 0; n < 12; ++n) text += R"({"sensor":"s)" + std::to_string(n) + R"(","value":21.5},)";
    text.back() = ']';
    text += R"(,"machine":{"temperature":81.25,"pressure":3,"state":"running"},"log":[)";
    for (int n = 0; text.size() < 1000; ++n) text += R"("line )" + std::to_string(n) + R"(",)";
    text.back() = ']';
    return text + "}";
}

void evaluate(benchmark::State& state, const char* text, const model::Message& message) {
    const auto condition = route::Condition::compile(text).value();
    std::uint64_t matched = 0;
    for (auto _ : state) {
        const route::MessageView view(message);
        matched += condition.evaluate(view) == route::Truth::yes ? 1 : 0;
    }
    if (matched != static_cast<std::uint64_t>(state.iterations())) state.SkipWithError("the condition does not hold");
    state.SetItemsProcessed(state.iterations());
}

void one_property(benchmark::State& state) { evaluate(state, "class = 'a'", message()); }
void two_properties(benchmark::State& state) {
    evaluate(state, "class = 'a' AND as_number(temperature) > 20", message());
}
void in_the_body(benchmark::State& state) {
    auto with_body = message();
    with_body.body = body();
    evaluate(state, "$body.machine.temperature > 80", with_body);
}
// Five routes ask for five values: the body is read once.
void five_in_the_body(benchmark::State& state) {
    auto with_body = message();
    with_body.body = body();
    route::RouteSet set;
    std::vector<route::Route> routes;
    for (const auto* const condition :
         {"$body.machine.temperature > 80", "$body.machine.state = 'running'", "$body.device = 'pump-17'",
          "$body.readings[11].value = 21.5", "starts_with($body.log[0], 'line')"})
        routes.push_back(set.compile(std::string("FROM /* WHERE ") + condition + " INTO $upstream").value());
    std::int64_t matched = 0;
    for (auto _ : state) {
        const route::MessageView view(with_body);
        for (const auto& route : routes) matched += route::matches(route, view) ? 1 : 0;
    }
    if (matched != 5 * state.iterations()) state.SkipWithError("not all routes match");
    state.SetItemsProcessed(state.iterations());
}
void whole_route(benchmark::State& state) {
    const auto made = message();
    const auto route = route::compile("FROM /messages/modules/sensor/* WHERE class = 'a' INTO $upstream").value();
    std::uint64_t matched = 0;
    for (auto _ : state) matched += route::matches(route, route::MessageView(made)) ? 1 : 0;
    if (matched != static_cast<std::uint64_t>(state.iterations())) state.SkipWithError("the route does not match");
    state.SetItemsProcessed(state.iterations());
}

BENCHMARK(one_property);
BENCHMARK(two_properties);
BENCHMARK(in_the_body);
BENCHMARK(five_in_the_body);
BENCHMARK(whole_route);
}  // namespace
