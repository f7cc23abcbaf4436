// Every row of agent-and-daemon.md 1.5 (lastDesiredStatus) and 4.1 (what a method answers), through the real parser,
// planner and report: a document goes into the twin, and the twin is looked at; a payload goes in, an answer comes out.
#include "agent/methods.hpp"
#include "agent/world_test.hpp"
#include "base/random.hpp"
#include "model/twin.hpp"

#include <doctest/doctest.h>

#include <fmt/format.h>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

using namespace skerry;
using namespace skerry::agent;
using namespace skerry::agent::testing;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

// What is changed in a good deployment, as a merge patch, and what the twin says then.
struct Row {
    std::string_view what;
    std::string_view patch;
    int code;
    std::string_view says;  // part of the description
};

constexpr Row documents[] = {
    {"nothing", R"({})", 200, ""},
    {"schema 1.0", R"({"schemaVersion":"1.0"})", 200, ""},

    {"no schema version", R"({"schemaVersion":null})", 400, "schemaVersion"},
    {"a schema version of the wrong type", R"({"schemaVersion":[]})", 400, "schemaVersion"},
    {"no runtime", R"({"runtime":null})", 400, "runtime"},
    {"another runtime", R"({"runtime":{"type":"rkt"}})", 400, "runtime.type"},
    {"no runtime settings", R"({"runtime":{"settings":null}})", 400, "runtime.settings"},
    {"blank credentials",
     R"({"runtime":{"settings":{"registryCredentials":{"r":{"address":" ","username":"u","password":"p"}}}}})", 400,
     "registryCredentials.r.address"},
    {"modules that are a list", R"({"modules":[]})", 400, "modules"},
    {"a module that is a text", R"({"modules":{"filter":"x"}})", 400, "modules.filter"},
    {"no status", R"({"modules":{"filter":{"status":null}}})", 400, "modules.filter.status"},
    {"an unknown status", R"({"modules":{"filter":{"status":"sleeping"}}})", 400, "sleeping"},
    {"an unknown restart policy", R"({"modules":{"filter":{"restartPolicy":"sometimes"}}})", 400, "sometimes"},
    {"an unknown pull policy", R"({"modules":{"filter":{"imagePullPolicy":"maybe"}}})", 400, "maybe"},
    {"a negative startup order", R"({"modules":{"filter":{"startupOrder":-1}}})", 400, "startupOrder"},
    {"an unknown type of module", R"({"modules":{"filter":{"type":"wasm"}}})", 400, "modules.filter.type"},
    {"no settings", R"({"modules":{"filter":{"settings":null}}})", 400, "modules.filter.settings"},
    {"no image", R"({"modules":{"filter":{"settings":{"image":null}}}})", 400, "modules.filter.settings.image"},
    {"a blank image", R"({"modules":{"filter":{"settings":{"image":"  "}}}})", 400, "image"},
    {"an image with two tags", R"({"modules":{"filter":{"settings":{"image":"a:b:c"}}}})", 400, "a:b:c"},
    {"a parent's image without a parent", R"({"modules":{"filter":{"settings":{"image":"$upstream:5000/a"}}}})", 400,
     "image"},
    {"options that are no JSON", R"({"modules":{"filter":{"settings":{"createOptions":"{"}}}})", 400, "createOptions"},
    {"options with a gap", R"({"modules":{"filter":{"settings":{"createOptions":"{","createOptions02":"}"}}}})", 400,
     "createOptions"},
    {"options without a head", R"({"modules":{"filter":{"settings":{"createOptions01":"{}"}}}})", 400, "createOptions"},
    {"an environment that is a list", R"({"modules":{"filter":{"env":[]}}})", 400, "modules.filter.env"},
    {"a bad agent", R"({"systemModules":{"edgeAgent":{"settings":{"image":"a:b:c"}}}})", 400, "edgeAgent"},
    {"a bad hub", R"({"systemModules":{"edgeHub":{"status":"sleeping"}}})", 400, "edgeHub"},
    {"a bad policy", R"({"deploymentPolicy":{"probationSeconds":-1}})", 400, "probationSeconds"},

    {"a schema version that is no version", R"({"schemaVersion":"x"})", 412,
     "Invalid desired properties schema version x"},
    {"a schema version that is a number", R"({"schemaVersion":1})", 412, "Invalid desired properties schema version 1"},
    {"a schema version without a dot", R"({"schemaVersion":"1"})", 412, "Invalid desired properties schema version 1"},
    {"a newer schema", R"({"schemaVersion":"1.2"})", 412,
     "The desired properties schema version 1.2 is not compatible with the expected version 1.1.0"},
    {"a schema of the future", R"({"schemaVersion":"2.0"})", 412,
     "2.0 is not compatible with the expected version 1.1.0"},
    {"a schema of the past", R"({"schemaVersion":"0.1"})", 412, "0.1 is not compatible"},

    {"nothing at all", R"({"schemaVersion":null,"runtime":null,"systemModules":null,"modules":null})", 417,
     "This device has an empty configuration for the edge agent. Please set a deployment manifest."}};

json::object good_manifest() { return manifest_of({{"filter", json::object()}, {"sensor", json::object()}}); }

struct Deployed : World {
    Deployed() {
        hub.online = true;
        deploy(good_manifest());
        boot();
        run_for(5s);
        REQUIRE(hub.code() == 200);
        (void)daemon.take_calls();
    }
};

std::string describe_failing(World& world) { return fmt::format("{} {}", world.hub.code(), world.hub.description()); }

}  // namespace

TEST_CASE("each document gets its code, its words and its version, and what runs goes on being looked after") {
    for (const auto& row : documents) {
        CAPTURE(row.what);
        Deployed world;
        auto wanted = good_manifest();
        model::merge_patch(wanted, model::parse_object(row.patch).value());
        world.deploy(std::move(wanted));
        world.run_for(5s);
        CAPTURE(describe_failing(world));
        CHECK(world.hub.code() == row.code);
        CHECK(world.hub.description().contains(row.says));
        CHECK(world.hub.at("lastDesiredVersion") == "2");
        CHECK(world.hub.at("modules.filter.runtimeStatus") == "running");
        if (row.code == 200) continue;
        CHECK(world.daemon.calls.empty());
        world.daemon.crash("filter", 1);
        world.run_for(10s);
        CHECK(world.daemon.running("filter"));
        CHECK(world.hub.code() == row.code);
        // A good one again.
        auto again = good_manifest();
        again["modules"].as_object()["sensor"].as_object()["version"] = "2";
        world.deploy(std::move(again));
        world.run_for(5s);
        CHECK(world.hub.code() == 200);
    }
}

TEST_CASE("each thing that can't be done is 500 with its words, and passes when it can be") {
    struct Failing {
        std::string_view what;
        std::function<void(World&)> begin;
        std::string_view says;
        std::function<void(World&)> end;
    };
    const auto refuse = [](std::string call) { return [call](World& world) { world.daemon.refused.insert(call); }; };
    const auto allow = [](World& world) { world.daemon.refused.clear(); };
    const Failing rows[] = {
        {"an image", refuse("prepare filter"), "module 'filter'", allow},
        {"a creation", refuse("create extra"), "module 'extra'", allow},
        {"an update", refuse("update filter"), "module 'filter': updating it: refused for the test", allow},
        {"a start", refuse("start filter"), "module 'filter'", allow},
        {"a removal", refuse("remove sensor"), "module 'sensor'", allow},
        {"a stop", refuse("stop sensor"), "module 'sensor'", allow},
        {"an identity", [](World& world) { world.daemon.hub_away = true; }, "module 'extra': waits for its identity",
         [](World& world) { world.daemon.hub_away = false; }},
        {"a missing image", [](World& world) { world.daemon.missing["filter:2"] = Errc::not_found; },
         "no image filter:2", [](World& world) { world.daemon.missing.clear(); }},
        {"the daemon", [](World& world) { world.daemon.away = true; }, "the daemon does not answer",
         [](World& world) { world.daemon.away = false; }}};
    for (const auto& row : rows) {
        CAPTURE(row.what);
        World world;
        world.settings.probation.rollback = false;  // or the one before would come back
        world.hub.online = true;
        world.deploy(good_manifest());
        world.boot();
        world.run_for(5s);
        REQUIRE(world.hub.code() == 200);
        row.begin(world);
        auto wanted = manifest_of(
            {{"filter", json::object{{"settings", json::object{{"image", "filter:2"}}}}}, {"extra", json::object()}});
        world.deploy(std::move(wanted));
        world.run_for(30s);
        CAPTURE(describe_failing(world));
        CHECK(world.hub.code() == 500);
        CHECK(world.hub.description().contains(row.says));
        CHECK(world.hub.at("lastDesiredVersion") == "2");
        row.end(world);
        world.run_for(6min);
        CAPTURE(describe_failing(world));
        CHECK(world.hub.code() == 200);
        CHECK(world.hub.description().empty());
    }
}

TEST_CASE("406 is said before the first deployment, while one is carried out, and at the end") {
    World world;
    world.boot();
    CHECK(world.supervisor().status() == DeploymentStatus{.code = 406, .description = ""});
    world.go_online();
    world.daemon.slow.insert("prepare filter");
    world.deploy(good_manifest());
    world.run_for(5s);
    CHECK(world.hub.code() == 406);
    CHECK(world.hub.description() == "version 1 is being applied");
    world.daemon.release();
    world.run_for(5s);
    CHECK(world.hub.code() == 200);
    world.stop();
    CHECK(world.hub.code() == 406);
    CHECK(world.hub.description() == "Agent is not running");
    CHECK(world.hub.at("modules.filter.runtimeStatus") == "unknown");
}

TEST_CASE("a twin that has never had a deployment is 417") {
    World world;
    world.hub.online = true;
    world.boot();
    world.run_for(5s);
    CHECK(world.hub.code() == 417);
    CHECK(world.daemon.calls.empty());
}

namespace {

class NoLogs final : public LogSource {
public:
    Task<Result<std::vector<std::string>>> modules() override { co_return std::vector<std::string>{"filter"}; }
    Task<Result<>> read(std::string, daemonapi::LogOptions options, Taker take) override {
        if (options.tail == "13") co_return fail(Errc::io, "the daemon answered 500");
        if (options.tail == "14") co_return fail(Errc::malformed, "invalid parameter: tail");
        std::string frame("\1\0\0\0\0\0\x4\0", 8);
        for (int n = 0; n < 150; ++n)
            if (!co_await take(frame + std::string(1023, 'x') + "\n")) break;
        co_return Result<>{};
    }
    Task<Result<>> read_bundle(daemonapi::SupportBundleOptions, Taker) override { co_return Result<>{}; }
};

struct Call {
    std::string_view method;
    std::string_view payload;
    int status;
    std::string_view says;  // part of the answer
};

constexpr Call calls[] = {
    {"ping", "", 200, "null"},
    {"PING", R"({"any":1})", 200, "null"},
    {"RestartModule", R"({"schemaVersion":"1.0","id":"filter"})", 200, "null"},
    {"restartmodule", R"({"schemaVersion":"1.7","id":"filter"})", 200, "null"},
    {"GetModuleLogs", R"({"schemaVersion":"1.0","items":{"id":"nobody"}})", 200, "[]"},
    {"GetTaskStatus", R"({"schemaVersion":"1.0","correlationId":"x"})", 200, R"("status":"Unknown")"},
    {"UploadModuleLogs", R"({"schemaVersion":"1.0","items":{"id":"nobody"},"sasUrl":"http://localhost/c?s"})", 200,
     R"("status":"NotStarted")"},
    {"UploadSupportBundle", R"({"schemaVersion":"1.0","sasUrl":"http://localhost/c?s"})", 200,
     R"("status":"NotStarted")"},

    {"UploadLogs", "{}", 400, "Command 'UploadLogs' not found. The supported commands are - ping,RestartModule,"},
    {"RestartModule", "", 400, "Request payload not found"},
    {"RestartModule", "null", 400, "Request payload not found"},
    {"RestartModule", "{", 400, "Error parsing command payload because of error - "},
    {"RestartModule", "[1]", 400, "Error parsing command payload because of error - "},
    {"RestartModule", R"({"id":"filter"})", 400, "schemaVersion"},
    {"RestartModule", R"({"schemaVersion":" ","id":"filter"})", 400, "schemaVersion"},
    {"RestartModule", R"({"schemaVersion":"1.0"})", 400, "id"},
    {"GetModuleLogs", R"({"schemaVersion":"1.0","items":{"id":"filter"},"contentType":"text"})", 400, "127000"},
    {"GetModuleLogs", R"({"schemaVersion":"1.0","items":{"id":"filter","filter":{"regex":"("}}})", 400, "regex"},
    {"GetModuleLogs", R"({"schemaVersion":"1.0","items":{"id":"filter","filter":{"tail":14}}})", 400,
     "invalid parameter"},
    {"GetModuleLogs", R"({"schemaVersion":"1.0","items":{"id":"filter"},"encoding":"zip"})", 400, "encoding"},
    {"GetModuleLogs", "", 400, "Request payload not found"},
    {"GetTaskStatus", R"({"schemaVersion":"1.0"})", 400, "correlationId"},
    {"UploadModuleLogs", R"({"schemaVersion":"1.0","items":{"id":"filter"}})", 400, "sasUrl"},
    {"UploadSupportBundle", R"({"schemaVersion":"1.0"})", 400, "sasUrl"},
    {"UploadSupportBundle", "", 400, "Request payload not found"},

    {"RestartModule", R"({"schemaVersion":"1.0","id":"nobody"})", 500,
     "Module nobody not found in the current environment"},
    {"RestartModule", R"({"schemaVersion":"1.0","id":"Filter"})", 500,
     "Module Filter not found in the current environment"},
    {"RestartModule", R"({"schemaVersion":"2.0","id":"filter"})", 500, "2.0"},
    {"RestartModule", R"({"schemaVersion":"1.0","id":"sensor"})", 500, "refused for the test"},
    {"GetModuleLogs", R"({"schemaVersion":"1.0","items":{"id":"filter","filter":{"tail":13}}})", 500, "answered 500"},
    {"GetTaskStatus", R"({"schemaVersion":"3.0","correlationId":"x"})", 500, "3.0"},
    {"UploadSupportBundle", R"({"schemaVersion":"2.0","sasUrl":"http://localhost/c?s"})", 500, "2.0"}};

Task<> ask(Methods& methods, iothub::MethodRequest request, iothub::MethodResponse& response) {
    response = co_await methods.answer(std::move(request));
}
Task<> close(Methods& methods) { co_await methods.close(); }

}  // namespace

TEST_CASE("each call of a method gets its status and its words") {
    Deployed world;
    world.daemon.refused.insert("restart sensor");
    NoLogs logs;
    SystemRandom random;
    const auto network = net::make_system_network(world.executor());
    Methods methods({.runtime = world.daemon,
                     .logs = logs,
                     .facts = world.facts,
                     .platform = {world.executor(), world.clock(), random, *network, *world.files},
                     .knows = [&world](const std::string& module) { return world.daemon.modules.contains(module); },
                     .storage = [] { return nullptr; }});
    TaskScope scope(world.executor());
    for (const auto& call : calls) {
        iothub::MethodResponse response;
        scope.spawn("method",
                    ask(methods, {.method = std::string(call.method), .payload = std::string(call.payload)}, response));
        world.run_for(Duration{});
        CAPTURE(call.method);
        CAPTURE(call.payload);
        CAPTURE(response.payload);
        CHECK(response.status == call.status);
        CHECK(response.payload.contains(call.says));
        if (call.status == 200) continue;
        const auto answer = model::parse_object(response.payload);
        REQUIRE(answer);
        CHECK(answer->size() == 1);
        CHECK(answer->at("message").is_string());
    }
    scope.spawn("close", close(methods));
    world.run_for(Duration{});
}
