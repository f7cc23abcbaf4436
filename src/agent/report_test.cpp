#include "agent/report.hpp"

#include "model/twin.hpp"

#include <doctest/doctest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

using namespace skerry;
using namespace skerry::agent;
namespace json = boost::json;

namespace {

const json::object manifest = json::parse(R"json({
  "schemaVersion": "1.1",
  "runtime": {"type": "docker", "settings": {"minDockerVersion": "v1.25", "loggingOptions": "",
    "registryCredentials": {"r": {"address": "r.example", "username": "u", "password": "s3cret"}}}},
  "systemModules": {
    "edgeAgent": {"type": "docker", "settings": {"image": "agent:1", "createOptions": "{}"}},
    "edgeHub": {"type": "docker", "status": "running", "restartPolicy": "always", "startupOrder": 0,
                "settings": {"image": "hub:1", "createOptions": "{\"HostConfig\":{\"Memory\":1048576}}"}}},
  "modules": {
    "filter": {"version": "1.0", "type": "docker", "status": "running", "restartPolicy": "on-failure",
               "settings": {"image": "filter"}, "env": {"T": {"value": "25"}}},
    "waiting": {"type": "docker", "status": "stopped", "restartPolicy": "never", "imagePullPolicy": "never",
                "settings": {"image": "waiting:3"}}}})json")
                                  .as_object();

model::ModuleStatus status_of(std::string name, std::string image, model::RuntimeState state) {
    model::ModuleStatus status;
    status.name = std::move(name);
    status.image = std::move(image);
    status.image_hash = "sha256:1";
    status.state = state;
    status.started = parse_rfc3339("2030-01-01T10:00:00Z");
    return status;
}

struct Scene {
    DeviceFacts facts;
    std::shared_ptr<const Deployment> deployment = make_deployment(manifest, 12, facts).value();
    std::vector<model::ModuleStatus> observed;
    std::map<std::string, std::string> runtime_status;
    std::map<std::string, std::string> trouble;
    History history;
    json::object system_info{{"osType", "linux"}, {"architecture", "x86_64"}, {"version", "9.9"}};
    DeploymentStatus status{.code = 200, .description = ""};
    bool compact{false};

    Scene() {
        observed.push_back(status_of("edgeAgent", "agent:1", model::RuntimeState::running));
        observed.push_back(status_of("edgeHub", "hub:1", model::RuntimeState::running));
        auto filter = status_of("filter", "filter:latest", model::RuntimeState::failed);
        filter.exited = parse_rfc3339("2030-01-01T10:05:00.5Z");
        filter.exit_code = 137;
        filter.description = "killed by signal 9";
        observed.push_back(filter);
        observed.push_back(status_of("old", "old:1", model::RuntimeState::running));
        runtime_status["filter"] = "backoff";
        trouble["waiting"] = "getting its image: there is none";
        const Now now{.steady = SteadyTime(std::chrono::hours(1)), .wall = *parse_rfc3339("2030-01-01T10:04:00Z")};
        history.restart_tried("filter", now);
        history.restart_tried("filter", now);
    }

    [[nodiscard]] json::object report() const {
        return build_report({.deployment = deployment.get(),
                             .observed = observed,
                             .runtime_status = runtime_status,
                             .trouble = trouble,
                             .history = history,
                             .status = status,
                             .last_desired_version = 12,
                             .system_info = system_info,
                             .agent_version = "1.2.3",
                             .compact = compact});
    }
};

}  // namespace

TEST_CASE("a report has the shape of the existing agent's") {
    const auto expected = json::parse(R"json({
      "schemaVersion": "1.0",
      "version": {"version": "1.2.3", "build": "", "commit": ""},
      "lastDesiredVersion": 12,
      "lastDesiredStatus": {"code": 200, "description": ""},
      "runtime": {"type": "docker",
        "settings": {"minDockerVersion": "v1.25", "loggingOptions": "",
          "registryCredentials": {"r": {"address": "r.example", "username": "u", "password": "****"}}},
        "platform": {"os": "linux", "architecture": "x86_64", "version": "9.9"}},
      "systemModules": {
        "edgeAgent": {"type": "docker", "exitCode": 0, "lastStartTimeUtc": "2030-01-01T10:00:00.0000000Z",
          "lastExitTimeUtc": "0001-01-01T00:00:00Z", "runtimeStatus": "running", "imagePullPolicy": "on-create", "startupOrder": 0,
          "settings": {"image": "agent:1", "imageHash": "sha256:1", "createOptions": "{}"}, "env": {}},
        "edgeHub": {"type": "docker", "exitCode": 0, "lastStartTimeUtc": "2030-01-01T10:00:00.0000000Z",
          "lastExitTimeUtc": "0001-01-01T00:00:00Z", "restartCount": 0, "lastRestartTimeUtc": "0001-01-01T00:00:00Z",
          "runtimeStatus": "running", "status": "running", "restartPolicy": "always", "imagePullPolicy": "on-create", "startupOrder": 0,
          "settings": {"image": "hub:1", "imageHash": "sha256:1", "createOptions": "{\"HostConfig\":{\"Memory\":1048576}}"}, "env": {}}},
      "modules": {
        "filter": {"type": "docker", "exitCode": 137, "statusDescription": "killed by signal 9",
          "lastStartTimeUtc": "2030-01-01T10:00:00.0000000Z", "lastExitTimeUtc": "2030-01-01T10:05:00.5000000Z",
          "restartCount": 2, "lastRestartTimeUtc": "2030-01-01T10:04:00.0000000Z", "runtimeStatus": "backoff",
          "version": "1.0", "status": "running", "restartPolicy": "on-failure", "imagePullPolicy": "on-create",
          "settings": {"image": "filter:latest", "imageHash": "sha256:1", "createOptions": "{}"}, "env": {"T": {"value": "25"}}},
        "old": {"type": "docker", "exitCode": 0, "lastStartTimeUtc": "2030-01-01T10:00:00.0000000Z",
          "lastExitTimeUtc": "0001-01-01T00:00:00Z", "restartCount": 0, "lastRestartTimeUtc": "0001-01-01T00:00:00Z",
          "runtimeStatus": "running", "status": "unknown", "restartPolicy": "unknown",
          "settings": {"image": "old:1", "imageHash": "sha256:1", "createOptions": "{}"}, "env": {}},
        "waiting": {"type": "docker", "exitCode": 0, "statusDescription": "getting its image: there is none",
          "lastStartTimeUtc": "0001-01-01T00:00:00Z", "lastExitTimeUtc": "0001-01-01T00:00:00Z", "restartCount": 0,
          "lastRestartTimeUtc": "0001-01-01T00:00:00Z", "runtimeStatus": "unknown", "version": "", "status": "stopped",
          "restartPolicy": "never", "imagePullPolicy": "never",
          "settings": {"image": "waiting:3", "createOptions": "{}"}, "env": {}}}})json");
    const auto made = Scene().report();
    CHECK_MESSAGE(json::value(made) == expected, json::serialize(model::diff(expected.as_object(), made)));
    CHECK(model::validate_reported(made));
}

TEST_CASE("before the first deployment the runtime's type is unknown") {
    Scene scene;
    scene.deployment.reset();
    const auto made = scene.report();
    CHECK(made.at("runtime").at("type") == "Unknown");
    CHECK(made.at("systemModules").at("edgeHub").at("status") == "unknown");
    scene.observed.clear();
    CHECK(scene.report().at("systemModules").at("edgeAgent") == json::value(json::object{{"type", "Unknown"}}));
}

TEST_CASE("no registry password is ever reported") {
    CHECK(json::serialize(Scene().report()).find("s3cret") == std::string::npos);
}

TEST_CASE("a compact report has neither createOptions nor environments of wanted modules") {
    Scene scene;
    scene.compact = true;
    const auto text = json::serialize(scene.report());
    CHECK(text.find("createOptions") == std::string::npos);
    CHECK(text.find("\"T\"") == std::string::npos);
    CHECK(text.find("backoff") != std::string::npos);
}

TEST_CASE("the same state gives the same report") {
    const Scene scene;
    CHECK(model::diff(scene.report(), scene.report()).empty());
}

TEST_CASE("long descriptions are cut between characters") {
    CHECK(shortened("abc", 3) == "abc");
    CHECK(shortened("abcd", 3) == "abc");
    CHECK(shortened("a\u20acb", 3) == "a");
    Scene scene;
    scene.status = {.code = 500, .description = std::string(5000, 'x')};
    CHECK(scene.report().at("lastDesiredStatus").at("description").as_string().size() == 2048);
}

TEST_CASE("the farewell changes states and nothing else") {
    const auto patch = farewell(Scene().report());
    CHECK(patch.at("lastDesiredStatus") ==
          json::value(json::object{{"code", 406}, {"description", "Agent is not running"}}));
    CHECK(patch.at("modules").at("filter") == json::value(json::object{{"runtimeStatus", "unknown"}}));
    CHECK(patch.at("systemModules").at("edgeHub") == json::value(json::object{{"runtimeStatus", "unknown"}}));
    CHECK(patch.size() == 3);
    CHECK(farewell({}).size() == 1);
}
