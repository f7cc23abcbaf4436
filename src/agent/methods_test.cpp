#include "agent/methods.hpp"

#include "agent/world_test.hpp"
#include "model/twin.hpp"

#include <doctest/doctest.h>

using namespace skerry;
using namespace skerry::agent;
using namespace skerry::agent::testing;

namespace {

class FakeLogs final : public LogSource {
public:
    bool away{false};
    std::map<std::string, std::string> streams;  // by module
    daemonapi::LogOptions asked;                 // the last time

    Task<Result<std::vector<std::string>>> modules() override {
        if (away) co_return fail(Errc::unreachable, "connection refused");
        std::vector<std::string> names;
        for (const auto& [name, stream] : streams) names.push_back(name);
        co_return names;
    }
    Task<Result<>> read(std::string module, daemonapi::LogOptions options, Taker take) override {
        asked = std::move(options);
        if (streams[module].empty()) co_return fail(Errc::io, "refused for the test");
        constexpr std::size_t piece = 1000;
        for (std::string_view rest = streams[module]; !rest.empty(); rest.remove_prefix(std::min(piece, rest.size()))) {
            if (!co_await take(std::string(rest.substr(0, piece)))) break;
        }
        co_return Result<>{};
    }
    Task<Result<>> read_bundle(daemonapi::SupportBundleOptions, Taker) override {
        co_return fail(Errc::unreachable, "connection refused");
    }
};

// A method's end of the agent, for as long as a test.
class Asked {
public:
    explicit Asked(World& world, FakeLogs logs = {})
        : world_(world),
          logs_(std::move(logs)),
          network_(net::make_system_network(world.executor())),
          methods_({.runtime = world.daemon,
                    .logs = logs_,
                    .facts = world.facts,
                    .platform = {world.executor(), world.clock(), random_, *network_, *world.files},
                    .knows = [&world](const std::string& module) { return world.daemon.modules.contains(module); },
                    .storage = [] { return nullptr; }}),
          scope_(world.executor()) {}

    iothub::MethodResponse answer(std::string method, std::string payload) {
        iothub::MethodResponse response;
        scope_.spawn("method", ask({.method = std::move(method), .payload = std::move(payload)}, response));
        world_.run_for(Duration{});
        return response;
    }

    [[nodiscard]] const FakeLogs& logs() const { return logs_; }

private:
    Task<> ask(iothub::MethodRequest request, iothub::MethodResponse& response) {
        response = co_await methods_.answer(std::move(request));
    }

    World& world_;
    FakeLogs logs_;
    SystemRandom random_;
    std::unique_ptr<net::Network> network_;
    Methods methods_;
    TaskScope scope_;
};

iothub::MethodResponse answer_to(World& world, std::string method, std::string payload) {
    return Asked(world).answer(std::move(method), std::move(payload));
}

std::string frame(std::string_view text) {
    std::string out{'\1', '\0', '\0', '\0'};
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(text.size() >> shift & 0xff));
    return out + std::string(text);
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
    CHECK(
        unknown.payload ==
        R"({"message":"Command 'Dance' not found. The supported commands are - ping,RestartModule,GetModuleLogs,UploadModuleLogs,UploadSupportBundle,GetTaskStatus"})");
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

TEST_CASE("GetModuleLogs gives each wanted module's log") {
    World world;
    FakeLogs logs;
    logs.streams["sensor"] = frame("<3> one\n") + frame("two\n");
    logs.streams["broken"] = "";
    Asked asked(world, logs);
    const auto text =
        asked.answer("getmodulelogs", R"({"schemaVersion":"1.0","items":{"id":"SENS","filter":{"tail":5}},)"
                                      R"("contentType":"text"})");
    CHECK(text.status == 200);
    CHECK(text.payload == R"([{"id":"sensor","payloadBytes":null,"payload":"<3> one\ntwo\n"}])");
    CHECK(asked.logs().asked.tail == "5");
    CHECK(asked.answer("GetModuleLogs", R"({"schemaVersion":"1.0","items":{"id":"nobody"}})").payload == "[]");
    CHECK(asked.answer("GetModuleLogs", R"({"schemaVersion":"1.0","items":{"id":"("}})").status == 400);
    CHECK(asked.answer("GetModuleLogs", R"({"schemaVersion":"1.0","items":{"id":"broken"}})").status == 500);
}

TEST_CASE("logs that no answer can hold are refused") {
    World world;
    FakeLogs logs;
    for (int i = 0; i < 200; ++i) logs.streams["sensor"] += frame(std::string(1000, 'x') + "\n");
    Asked asked(world, logs);
    const std::string wanted = R"({"schemaVersion":"1.0","items":{"id":"all"},"contentType":"text")";
    const auto refused = asked.answer("GetModuleLogs", wanted + "}");
    CHECK(refused.status == 400);
    CHECK(refused.payload.find("127000") != std::string::npos);
    CHECK(asked.answer("GetModuleLogs", wanted + R"(,"encoding":"gzip"})").status == 200);
}

TEST_CASE("an upload that can't work is refused, and an unknown task is Unknown") {
    World world;
    Asked asked(world);
    const std::string wanted = R"({"schemaVersion":"1.0","items":{"id":"all"})";
    CHECK(asked.answer("UploadModuleLogs", wanted + "}").status == 400);
    CHECK(asked.answer("UploadModuleLogs", wanted + R"(,"sasUrl":"ftp://x"})").status == 400);
    CHECK(asked.answer("UploadModuleLogs", wanted + R"(,"sasUrl":"https://h/c?s"})").status == 500);
    const auto unknown = asked.answer("GetTaskStatus", R"({"schemaVersion":"1.0","correlationId":"x"})");
    CHECK(unknown.status == 200);
    CHECK(unknown.payload == R"({"status":"Unknown","message":"","correlationId":"x"})");
    CHECK(asked.answer("GetTaskStatus", R"({"schemaVersion":"1.0"})").status == 400);
}

TEST_CASE("an upload is a task whose status can be asked for") {
    World world;
    FakeLogs logs;
    logs.away = true;
    Asked asked(world, logs);
    const auto begun = asked.answer("UploadModuleLogs",
                                    R"({"schemaVersion":"1.0","items":{"id":"all"},"sasUrl":"http://localhost/c?s"})");
    REQUIRE(begun.status == 200);
    const auto task = model::parse_object(begun.payload);
    REQUIRE(task);
    CHECK(task->at("status") == "NotStarted");
    const auto id = std::string(task->at("correlationId").as_string());
    const auto later = asked.answer("GetTaskStatus", R"({"schemaVersion":"1.0","correlationId":")" + id + "\"}");
    CHECK(later.payload.find(R"("status":"Failed","message":"Task upload logs failed because of error )") !=
          std::string::npos);
}

TEST_CASE("a support bundle is asked for as a task") {
    World world;
    Asked asked(world);
    const std::string wanted = R"({"schemaVersion":"1.0","edgeRuntimeOnly":true)";
    CHECK(asked.answer("UploadSupportBundle", wanted + "}").status == 400);
    CHECK(asked.answer("UploadSupportBundle", wanted + R"(,"sasUrl":"http://localhost/c?s","since":[]})").status ==
          400);
    const auto begun = asked.answer("UploadSupportBundle", wanted + R"(,"sasUrl":"http://localhost/c?s"})");
    REQUIRE(begun.status == 200);
    const auto id = std::string(model::parse_object(begun.payload)->at("correlationId").as_string());
    const auto later = asked.answer("GetTaskStatus", R"({"schemaVersion":"1.0","correlationId":")" + id + "\"}");
    CHECK(later.payload.contains("Task upload support bundle failed because of error connection refused"));
}
