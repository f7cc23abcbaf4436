#include "model/manifest.hpp"

#include "model/twin.hpp"

#include <doctest/doctest.h>
#include <boost/json.hpp>

using namespace skerry;
namespace json = boost::json;

namespace {
json::object object(std::string_view text) { return model::parse_object(text).value(); }

const std::string_view complete = R"({
  "schemaVersion": "1.1", "$version": 12,
  "runtime": {"type": "docker", "settings": {"minDockerVersion": "v1.25", "loggingOptions": "x",
    "registryCredentials": {"r": {"address": "$upstream:5000", "username": "u", "password": "p"}}}},
  "systemModules": {
    "edgeAgent": {"type": "docker", "settings": {"image": "hub.example/agent:1.5", "createOptions": "{}"}, "status": "odd"},
    "edgeHub": {"type": "docker", "status": "running",
                "settings": {"image": "hub.example/hub", "createOptions": {"HostConfig": {"Privileged": true}}},
                "env": {"OptimizeForPerformance": {"value": false}, "N": {"value": 5}, "none": {"value": null}}}},
  "modules": {
    "filter": {"version": "1.0", "type": "docker", "status": "Stopped", "restartPolicy": "on-failure", "startupOrder": 7,
               "imagePullPolicy": "never", "env": {"K": {"value": "V"}},
               "settings": {"image": " $upstream:5000/filter:2 ", "digest": "sha256:00",
                            "createOptions": "{\"Env\":[\"A=", "createOptions01": "1\"]}"}},
    "plain": {"type": "docker", "status": "running", "settings": {"image": "plain"}}},
  "integrity": {"header": {}}
})";

// The complete manifest with one change, as a path and a value (null removes).
std::expected<model::Manifest, model::ManifestError> parse_changed(std::string_view patch) {
    auto document = object(complete);
    model::merge_patch(document, object(patch));
    return model::parse_manifest(document, "parent");
}
}  // namespace

TEST_CASE("a complete manifest is read with every field") {
    const auto manifest = model::parse_manifest(object(complete), "parent");
    REQUIRE(manifest);
    CHECK(manifest->schema_version == "1.1");
    CHECK(manifest->min_docker_version == "v1.25");
    CHECK(manifest->logging_options == "x");
    CHECK(manifest->registry_credentials.at("r").address == "parent:5000");
    CHECK(manifest->registry_credentials.at("r").username == "u");
    CHECK(manifest->registry_credentials.at("r").password == "p");

    REQUIRE(manifest->modules.size() == 2);
    const auto& filter = manifest->modules.at("filter");
    CHECK(filter.name == "filter");
    CHECK(filter.version == "1.0");
    CHECK(filter.status == model::DesiredStatus::stopped);
    CHECK(filter.restart_policy == model::RestartPolicy::on_failure);
    CHECK(filter.pull_policy == model::PullPolicy::never);
    CHECK(filter.startup_order == 7);
    CHECK(filter.image == "parent:5000/filter:2");
    CHECK(filter.digest == "sha256:00");
    CHECK(filter.create_options == object(R"({"Env":["A=1"]})"));
    CHECK(filter.env == std::map<std::string, std::string>{{"K", "V"}});
}

TEST_CASE("what a manifest leaves out has the defaults of the existing agent") {
    const auto manifest = model::parse_manifest(object(complete), "parent");
    REQUIRE(manifest);
    const auto& plain = manifest->modules.at("plain");
    CHECK(plain.restart_policy == model::RestartPolicy::on_unhealthy);
    CHECK(plain.pull_policy == model::PullPolicy::on_create);
    CHECK(plain.startup_order == model::last_startup_order);
    CHECK(plain.image == "plain:latest");
    CHECK(plain.create_options.empty());
    CHECK_FALSE(plain.digest);
    CHECK(plain.env.empty());

    REQUIRE(manifest->hub);
    CHECK(manifest->hub->restart_policy == model::RestartPolicy::always);
    CHECK(manifest->hub->env ==
          std::map<std::string, std::string>{{"OptimizeForPerformance", "false"}, {"N", "5"}, {"none", ""}});
    REQUIRE(manifest->agent);
    CHECK(manifest->agent->status == model::DesiredStatus::running);
    CHECK(manifest->agent->restart_policy == model::RestartPolicy::always);
    CHECK(manifest->agent->startup_order == 0);
}

TEST_CASE("system modules may be absent, and so may be modules") {
    const auto manifest = parse_changed(R"({"systemModules":{"edgeHub":null},"modules":null,"schemaVersion":"1.0"})");
    REQUIRE(manifest);
    CHECK(manifest->agent);
    CHECK_FALSE(manifest->hub);
    CHECK(manifest->modules.empty());
}

TEST_CASE("a twin without a manifest is 417, not a bad format") {
    for (const auto* text : {"{}", R"({"$version":3,"$metadata":{}})"}) {
        const auto manifest = model::parse_manifest(object(text), "");
        REQUIRE_FALSE(manifest);
        CHECK(manifest.error().code == 417);
    }
}

TEST_CASE("a schema version of another time is 412 and is named") {
    for (const std::string version : {"1.2", "2.0", "0.1", "1", "x"}) {
        CAPTURE(version);
        const auto manifest = parse_changed(R"({"schemaVersion":")" + version + R"("})");
        REQUIRE_FALSE(manifest);
        CHECK(manifest.error().code == 412);
        CHECK(manifest.error().text.find(version) != std::string::npos);
    }
    CHECK(parse_changed(R"({"schemaVersion":"1.1.0"})"));
    CHECK(parse_changed(R"({"schemaVersion":null})").error().code == 400);
}

TEST_CASE("a manifest with anything wrong is refused whole, and the text names module and field") {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {R"({"runtime":null})", "runtime: is missing"},
        {R"({"runtime":{"type":"Docker"}})", "runtime.type: 'Docker' is not 'docker'"},
        {R"({"runtime":{"settings":null}})", "runtime.settings: is missing"},
        {R"({"runtime":{"settings":{"registryCredentials":{"r":{"password":" "}}}}})",
         "runtime.settings.registryCredentials.r.password: is blank"},
        {R"({"systemModules":null})", "systemModules: is missing"},
        {R"({"systemModules":{"edgeHub":{"status":null}}})", "systemModules.edgeHub.status: is missing"},
        {R"({"systemModules":{"edgeAgent":{"settings":{"image":null}}}})",
         "systemModules.edgeAgent.settings.image: is missing"},
        {R"({"modules":[]})", "modules: must be an object"},
        {R"({"modules":{"filter":1}})", "modules.filter: must be an object"},
        {R"({"modules":{"a b":{}}})", "modules.a b: is no valid module id"},
        {R"({"modules":{"edgeHub":{}}})", "modules.edgeHub: this name is reserved for systemModules"},
        {R"({"modules":{"filter":{"type":null}}})", "modules.filter.type: is missing"},
        {R"({"modules":{"filter":{"status":"backoff"}}})",
         "modules.filter.status: 'backoff' is none of 'running', 'stopped'"},
        {R"({"modules":{"filter":{"restartPolicy":"sometimes"}}})",
         "modules.filter.restartPolicy: 'sometimes' is none of"},
        {R"({"modules":{"filter":{"imagePullPolicy":"x"}}})", "modules.filter.imagePullPolicy: 'x' is none of"},
        {R"({"modules":{"filter":{"startupOrder":-1}}})",
         "modules.filter.startupOrder: must be a whole number in 0..4294967295"},
        {R"({"modules":{"filter":{"startupOrder":4294967296}}})", "modules.filter.startupOrder: must be"},
        {R"({"modules":{"filter":{"env":{"A=B":{"value":"x"}}}}})", "modules.filter.env.A=B: is no name"},
        {R"({"modules":{"filter":{"env":{"A":"x"}}}})", "modules.filter.env.A: must be an object"},
        {R"({"modules":{"filter":{"env":{"A":{"value":[]}}}}})", "modules.filter.env.A.value: must be a text"},
        {R"({"modules":{"filter":{"settings":null}}})", "modules.filter.settings: is missing"},
        {R"({"modules":{"filter":{"settings":{"image":"a:b:c"}}}})",
         "modules.filter.settings.image: 'a:b:c' is no image reference"},
        {R"({"modules":{"filter":{"settings":{"image":"$other/x"}}}})", "modules.filter.settings.image: '$other/x'"},
        {R"({"modules":{"filter":{"settings":{"createOptions":null}}}})",
         "modules.filter.settings.createOptions: piece 00 is missing"},
        {R"({"modules":{"filter":{"settings":{"createOptions01":"!"}}}})",
         "modules.filter.settings.createOptions: invalid JSON"},
        {R"({"modules":{"filter":{"settings":{"createOptions03":"!"}}}})",
         "modules.filter.settings.createOptions: piece 02 is missing"},
    };
    for (const auto& [patch, expected] : cases) {
        CAPTURE(patch);
        const auto manifest = parse_changed(patch);
        REQUIRE_FALSE(manifest);
        CHECK(manifest.error().code == 400);
        CAPTURE(manifest.error().text);
        CHECK(manifest.error().text.starts_with(expected));
    }
}

TEST_CASE("$upstream in an image needs a parent") {
    CHECK(model::normalise_image("$upstream:443/a:1", "edge.parent") == "edge.parent:443/a:1");
    for (const auto* bad : {"$upstream/a:1", "$upstream:0/a", "$upstream:", "$upstreams:5000/a", "$a"}) {
        CAPTURE(bad);
        CHECK_FALSE(model::normalise_image(bad, "edge.parent"));
    }
    CHECK(model::normalise_image("$upstream:443/a", "").error().text.find("no parent") != std::string::npos);
}

TEST_CASE("an image gets a tag, and nothing but an image passes") {
    const std::pair<std::string_view, std::string_view> good[] = {
        {" ea:t1 ", "ea:t1"},
        {"mcr.ms.com/ea", "mcr.ms.com/ea:latest"},
        {"localhost:9000/ea", "localhost:9000/ea:latest"},
        {"localhost:9000/comp/ea:tag1", "localhost:9000/comp/ea:tag1"},
        {"unknown", "unknown:latest"},
        {"repo/name@sha256:0123", "repo/name@sha256:0123"},
    };
    for (const auto& [image, expected] : good) CHECK(model::normalise_image(image, "") == expected);
    for (const auto* bad : {"", "  ", "ea:t1:t2", "mcr.ms.com/ea:t1:t2", "name:tag@sha256:0123", "a/", "a:", "a/:b"}) {
        CAPTURE(bad);
        CHECK_FALSE(model::normalise_image(bad, ""));
    }
}
