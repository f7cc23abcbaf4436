#include "daemonapi/shapes.hpp"

#include "daemonapi/environment.hpp"
#include "model/twin.hpp"

#include <doctest/doctest.h>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

using namespace skerry;
using namespace skerry::daemonapi;

namespace {
boost::json::object object(std::string_view text) {
    auto parsed = model::parse_object(text);
    REQUIRE(parsed);
    return std::move(*parsed);
}

// A valid spec with one member set anew; "config.x" reaches into config.
boost::json::object spec_with(std::string_view member, const boost::json::value& value) {
    auto json = object(R"({"name":"m","type":"docker","config":{"settings":{"image":"i:1"},"env":[]}})");
    if (member.starts_with("config.settings."))
        json["config"].as_object()["settings"].as_object()[member.substr(16)] = value;
    else if (member.starts_with("config."))
        json["config"].as_object()[member.substr(7)] = value;
    else
        json[member] = value;
    return json;
}
}  // namespace

TEST_CASE("a module spec survives the way to the daemon") {
    model::ModuleSpec spec;
    spec.name = "filter";
    spec.pull_policy = model::PullPolicy::never;
    spec.image = "repo/filter:1.0";
    spec.create_options = object(R"({"HostConfig":{"Binds":["/a:/b"]},"Env":["A=1"]})");
    spec.digest = "sha256:00";
    spec.env = {{"A", "1"}, {"B", "x=y"}};
    spec.auth = object(R"({"username":"u","password":"p","serveraddress":"r"})");

    const auto read = parse_module_spec(to_json(spec));
    REQUIRE(read);
    CHECK(read->name == spec.name);
    CHECK(read->type == "docker");
    CHECK(read->pull_policy == model::PullPolicy::never);
    CHECK(read->image == spec.image);
    CHECK(read->create_options == spec.create_options);
    CHECK(read->digest == spec.digest);
    CHECK(read->env == spec.env);
    CHECK(read->auth == spec.auth);
}

TEST_CASE("a module spec as the existing agent writes it is read") {
    const auto read = parse_module_spec(object(R"({"name":"edgeHub","type":"docker","imagePullPolicy":"on-create",
        "config":{"settings":{"image":"hub:1","createOptions":{"Labels":{"a":"b"}},"digest":null,"auth":null},
                  "env":[{"key":"K","value":"V"}]}})"));
    REQUIRE(read);
    CHECK(read->pull_policy == model::PullPolicy::on_create);
    CHECK(boost::json::serialize(read->create_options) == R"({"Labels":{"a":"b"}})");
    CHECK_FALSE(read->digest);
    CHECK(read->auth.empty());
    CHECK(read->env.at("K") == "V");
}

TEST_CASE("a bad module spec is refused with the member's name") {
    struct Case {
        std::string_view member;
        std::string_view value;
        std::string_view text;
    };
    for (const auto& [member, value, text] : {
             Case{"name", R"("a/b")", "'name'"},
             Case{"name", "1", "'name'"},
             Case{"type", "null", "'type'"},
             Case{"imagePullPolicy", R"("always")", "'imagePullPolicy'"},
             Case{"config", "[]", "'config'"},
             Case{"config.env", "{}", "'config.env'"},
             Case{"config.env", R"([{"key":"a"}])", "'config.env'"},
             Case{"config.env", R"([{"key":"a=b","value":""}])", "'config.env'"},
             Case{"config.env", R"([{"key":"secret","value":"1"},{"key":"secret","value":"2"}])",
                  "duplicate env var key: secret"},
             Case{"config.settings", "1", "'config.settings'"},
             Case{"config.settings.image", R"("")", "'config.settings.image'"},
             Case{"config.settings.createOptions", R"("{}")", "'config.settings.createOptions'"},
             Case{"config.settings.auth", R"("user:password")", "'config.settings.auth'"},
         }) {
        const auto wrapped = object(std::string(R"({"v":)").append(value).append("}"));
        const auto read = parse_module_spec(spec_with(member, wrapped.at("v")));
        REQUIRE_MESSAGE(!read, member, " = ", value);
        CHECK(read.error().code == Errc::malformed);
        CHECK_MESSAGE(read.error().text.find(text) != std::string::npos, read.error().text);
        CHECK(read.error().text.find("password") == std::string::npos);
    }
    CHECK(parse_module_spec(spec_with("name", "ok")));
}

TEST_CASE("a module's status survives the way from the daemon") {
    model::ModuleStatus status;
    status.name = "sensor";
    status.image = "sensor:1";
    status.image_hash = "sha256:aa";
    status.create_options = object(R"({"Labels":{"x":"y"}})");
    status.state = model::RuntimeState::failed;
    status.description = "killed by signal 9";
    status.started = parse_rfc3339("2024-01-31T10:00:00.1234567Z");
    status.exited = parse_rfc3339("2024-01-31T10:00:01Z");
    status.exit_code = 137;

    const auto json = to_json(status);
    CHECK(json.at("status").at("exitStatus").at("statusCode").as_string() == "137");
    const auto read = parse_module_status(json);
    REQUIRE(read);
    CHECK(read->name == status.name);
    CHECK(read->image == status.image);
    CHECK(read->image_hash == status.image_hash);
    CHECK(read->create_options == status.create_options);
    CHECK(read->state == status.state);
    CHECK(read->description == status.description);
    CHECK(read->started == status.started);
    CHECK(read->exited == status.exited);
    CHECK(read->exit_code == 137);
}

TEST_CASE("a module that never ran, and Docker's year 1, have no times and no exit code") {
    const auto read = parse_module_status(object(R"({"id":"id","name":"m","type":"docker",
        "config":{"settings":{"image":"i","createOptions":{}},"env":[]},
        "status":{"startTime":"0001-01-01T00:00:00Z","runtimeStatus":{"status":"stopped"}}})"));
    REQUIRE(read);
    CHECK(read->state == model::RuntimeState::stopped);
    CHECK_FALSE(read->started);
    CHECK_FALSE(read->exited);
    CHECK_FALSE(read->exit_code);

    model::ModuleStatus unseen;
    unseen.name = "m";
    CHECK_FALSE(to_json(unseen).at("status").as_object().contains("exitStatus"));
}

TEST_CASE("a health check's verdict survives, and a module without one says nothing of health") {
    model::ModuleStatus status;
    status.name = "filter";
    status.health = model::Health::unhealthy;
    CHECK(parse_module_status(to_json(status))->health == model::Health::unhealthy);
    status.health = model::Health::none;
    CHECK_FALSE(to_json(status).at("status").at("runtimeStatus").as_object().contains("health"));
    CHECK(parse_module_status(to_json(status))->health == model::Health::none);
}

TEST_CASE("an identity entry survives, and one without an id is refused") {
    const auto read =
        parse_identity_entry(to_json({.module_id = "$edgeHub", .managed_by = "iotedge", .generation_id = "7"}));
    REQUIRE(read);
    CHECK(read->module_id == "$edgeHub");
    CHECK(read->managed_by == "iotedge");
    CHECK(read->generation_id == "7");
    CHECK(read->auth_type == "sas");
    CHECK(parse_identity_entry(object(R"({"managedBy":null})")).error().code == Errc::malformed);
}

TEST_CASE("environment names compare without case and a missing one is named") {
    const Environment environment({{"IOTEDGE_DeviceId", "d1"}, {"EMPTY", ""}});
    CHECK(environment.find("iotedge_deviceid") == "d1");
    CHECK(environment.value_or("nothing", "else") == "else");
    CHECK(environment.require("IOTEDGE_DEVICEID").value() == "d1");
    const auto missing = environment.require("IOTEDGE_MODULEID");
    CHECK(missing.error().code == Errc::not_found);
    CHECK(missing.error().text.find("IOTEDGE_MODULEID") != std::string::npos);
    CHECK_FALSE(environment.require("EMPTY"));
    CHECK(Environment::of_process().find("path"));
}
