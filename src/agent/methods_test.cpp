#include "agent/methods.hpp"

#include "agent/world_test.hpp"

#include <doctest/doctest.h>

using namespace skerry;
using namespace skerry::agent;
using namespace skerry::agent::testing;

namespace {

Task<> ask(World& world, iothub::MethodRequest request, iothub::MethodResponse& response) {
    response = co_await answer_method(std::move(request), world.daemon, [&world](const std::string& module) {
        return world.daemon.modules.contains(module);
    });
}

iothub::MethodResponse answer_to(World& world, std::string method, std::string payload) {
    iothub::MethodResponse response;
    TaskScope scope(world.executor());
    scope.spawn("method", ask(world, {.method = std::move(method), .payload = std::move(payload)}, response));
    world.run_for(Duration{});
    return response;
}

}  // namespace

TEST_CASE("ping answers, whatever its case and payload") {
    World world;
    CHECK(answer_to(world, "PING", "").status == 200);
    CHECK(answer_to(world, "ping", "[1]").payload == "null");
}

TEST_CASE("RestartModule has the daemon restart the module") {
    World world;
    CHECK(answer_to(world, "RestartModule", R"({"schemaVersion":"1.0","id":"edgeAgent"})").status == 200);
    CHECK(world.daemon.take_calls() == std::vector<std::string>{"restart edgeAgent"});
}

TEST_CASE("a method that can't be done says why") {
    World world;
    const auto unknown = answer_to(world, "Dance", "");
    CHECK(unknown.status == 400);
    CHECK(unknown.payload ==
          R"({"message":"Command 'Dance' not found. The supported commands are - ping,RestartModule"})");
    CHECK(answer_to(world, "RestartModule", "").status == 400);
    CHECK(answer_to(world, "RestartModule", "{").status == 400);
    CHECK(answer_to(world, "RestartModule", R"({"id":"edgeAgent"})").status == 400);
    CHECK(answer_to(world, "RestartModule", R"({"schemaVersion":"1.0"})").status == 400);
    CHECK(answer_to(world, "RestartModule", R"({"schemaVersion":"2.0","id":"edgeAgent"})").status == 500);
    const auto missing = answer_to(world, "RestartModule", R"({"schemaVersion":"1.0","id":"m"})");
    CHECK(missing.status == 500);
    CHECK(missing.payload.find("Module m not found in the current environment") != std::string::npos);
    world.daemon.refused.insert("restart edgeAgent");
    CHECK(answer_to(world, "RestartModule", R"({"schemaVersion":"1.0","id":"edgeAgent"})")
              .payload.find("refused for the test") != std::string::npos);
}
