#include "agent/deployment.hpp"

#include <doctest/doctest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

using namespace skerry;
using namespace skerry::agent;
namespace json = boost::json;

namespace {

DeviceFacts facts_of_a_device() {
    DeviceFacts facts;
    facts.device_id = "d";
    facts.hub_host = "hub.example";
    facts.device_host = "edge.example";
    facts.management_uri = "unix:///mgmt.sock";
    facts.workload_listen_uri = "unix:///mnt";
    facts.api_version = "2022-08-03";
    facts.network_id = "azure-iot-edge";
    facts.upstream_protocol = "Mqtt";
    facts.log_level = "info";
    return facts;
}

model::ManifestModule module_named(std::string name) {
    model::ManifestModule module;
    module.name = std::move(name);
    module.image = "r.example/x:1";
    return module;
}

std::string print_of(const model::ManifestModule& module) { return fingerprint(module, facts_of_a_device()); }

json::object options(std::string_view text) { return json::parse(text).as_object(); }

using Env = std::map<std::string, std::string>;

}  // namespace

TEST_CASE("a module is told its hub, its identity and how to sign") {
    auto module = module_named("filter");
    module.env = {{"MINE", "1"}};
    CHECK(make_spec(module, {}, facts_of_a_device(), "g1").env ==
          Env{{"IOTEDGE_APIVERSION", "2022-08-03"},
              {"IOTEDGE_AUTHSCHEME", "sasToken"},
              {"IOTEDGE_DEVICEID", "d"},
              {"IOTEDGE_GATEWAYHOSTNAME", "edge.example"},
              {"IOTEDGE_IOTHUBHOSTNAME", "hub.example"},
              {"IOTEDGE_MODULEGENERATIONID", "g1"},
              {"IOTEDGE_MODULEID", "filter"},
              {"IOTEDGE_WORKLOADURI", "unix:///var/run/iotedge/workload.sock"},
              {"MINE", "1"},
              {"RuntimeLogLevel", "info"},
              {"UpstreamProtocol", "Mqtt"}});
}

TEST_CASE("under a parent, modules are told of it and the hub goes through it") {
    auto facts = facts_of_a_device();
    facts.parent_host = "parent.example";
    const auto module = make_spec(module_named("filter"), {}, facts, "g").env;
    CHECK(module.at("IOTEDGE_GATEWAYHOSTNAME") == "edge.example");
    CHECK(module.at("IOTEDGE_PARENTHOSTNAME") == "parent.example");
    const auto hub = make_spec(module_named("edgeHub"), {}, facts, "g").env;
    CHECK(hub.at("IOTEDGE_GATEWAYHOSTNAME") == "parent.example");
    CHECK(hub.at("EdgeDeviceHostName") == "edge.example");
    CHECK(hub.at("IOTEDGE_MODULEID") == "$edgeHub");
    CHECK_FALSE(hub.contains("IOTEDGE_PARENTHOSTNAME"));
}

TEST_CASE("only the agent is told how to manage the daemon") {
    const auto agent = make_spec(module_named("edgeAgent"), {}, facts_of_a_device(), "g").env;
    CHECK(agent.at("IOTEDGE_MANAGEMENTURI") == "unix:///mgmt.sock");
    CHECK(agent.at("NetworkId") == "azure-iot-edge");
    CHECK(agent.at("IOTEDGE_WORKLOADLISTEN_MNTURI") == "unix:///mnt");
    CHECK(agent.at("Mode") == "iotedged");
    CHECK_FALSE(make_spec(module_named("edgeHub"), {}, facts_of_a_device(), "g").env.contains("IOTEDGE_MANAGEMENTURI"));
}

TEST_CASE("a manifest may set the log level and the protocol, but not who the module is") {
    auto module = module_named("filter");
    module.env = {{"runtimeloglevel", "debug"}, {"UpstreamProtocol", "Amqp"}, {"IOTEDGE_MODULEID", "other"}};
    const auto env = make_spec(module, {}, facts_of_a_device(), "g").env;
    CHECK(env.at("runtimeloglevel") == "debug");
    CHECK_FALSE(env.contains("RuntimeLogLevel"));
    CHECK(env.at("UpstreamProtocol") == "Amqp");
    CHECK(env.at("IOTEDGE_MODULEID") == "filter");
}

TEST_CASE("the registry's credentials go with the images of that registry only") {
    model::Manifest manifest;
    manifest.registry_credentials["a"] = {.address = "R.example", .username = "u", .password = "p"};
    manifest.registry_credentials["b"] = {.address = "https://index.docker.io/v1/", .username = "h", .password = "q"};
    auto module = module_named("filter");
    CHECK(make_spec(module, manifest, facts_of_a_device(), "g").auth ==
          json::object{{"username", "u"}, {"password", "p"}, {"serveraddress", "R.example"}});
    module.image = "somebody/x:1";
    CHECK(make_spec(module, manifest, facts_of_a_device(), "g").auth.at("username") == "h");
    module.image = "x:1";
    CHECK(make_spec(module, manifest, facts_of_a_device(), "g").auth.empty());
}

TEST_CASE("credentials of the agent's own environment count for registries that the deployment does not name") {
    const auto facts = DeviceFacts::from(skerry::daemonapi::Environment({
                                             {"IOTEDGE_DEVICEID", "d"},
                                             {"IOTEDGE_IOTHUBHOSTNAME", "hub.example"},
                                             {"IOTEDGE_MANAGEMENTURI", "unix:///mgmt.sock"},
                                             {"IOTEDGE_GATEWAYHOSTNAME", "parent.example"},
                                             {"DockerRegistryAuth__0__serverAddress", "r.example"},
                                             {"DockerRegistryAuth__0__username", "first"},
                                             {"DockerRegistryAuth__0__password", "p:\"\\+/ä"},
                                             {"DOCKERREGISTRYAUTH__2__SERVERADDRESS", "$upstream:5000"},
                                             {"DockerRegistryAuth__2__username", "third"},
                                             {"DockerRegistryAuth__3__serverAddress", "nobody.example"},
                                         }))
                           .value();
    auto module = module_named("filter");
    CHECK(make_spec(module, {}, facts, "g").auth ==
          json::object{{"username", "first"}, {"password", "p:\"\\+/ä"}, {"serveraddress", "r.example"}});
    module.image = "parent.example:5000/x:1";
    CHECK(make_spec(module, {}, facts, "g").auth.at("username") == "third");
    module.image = "nobody.example/x:1";
    CHECK(make_spec(module, {}, facts, "g").auth.empty());
    model::Manifest manifest;
    manifest.registry_credentials["a"] = {.address = "R.example", .username = "u", .password = "p"};
    CHECK(make_spec(module_named("filter"), manifest, facts, "g").auth.at("username") == "u");
}

TEST_CASE("the fingerprint changes with what would be applied") {
    const auto module = module_named("filter");
    const auto print = print_of(module);
    auto changed = module;
    changed.image = "r.example/x:2";
    CHECK(print_of(changed) != print);
    changed = module;
    changed.env["A"] = "1";
    CHECK(print_of(changed) != print);
    changed = module;
    changed.create_options = options(R"({"HostConfig":{"Memory":1}})");
    CHECK(print_of(changed) != print);
    changed = module;
    changed.digest = "sha256:1";
    CHECK(print_of(changed) != print);
    auto elsewhere = facts_of_a_device();
    elsewhere.hub_host = "other.example";
    CHECK(fingerprint(module, elsewhere) != print);
}

TEST_CASE("the fingerprint does not change with what is only the agent's business") {
    const auto module = module_named("filter");
    const auto print = print_of(module);
    auto changed = module;
    changed.version = "2";
    changed.status = model::DesiredStatus::stopped;
    changed.restart_policy = model::RestartPolicy::never;
    changed.pull_policy = model::PullPolicy::never;
    changed.startup_order = 3;
    CHECK(print_of(changed) == print);
    auto chatty = facts_of_a_device();
    chatty.log_level = "debug";
    chatty.upstream_protocol = "Amqp";
    chatty.management_uri = "unix:///elsewhere";
    CHECK(fingerprint(module, chatty) == print);
}

TEST_CASE("equal createOptions have equal fingerprints, however they are written") {
    auto module = module_named("filter");
    module.create_options = options(R"({"HostConfig":{"Privileged":false,"Memory":1,"Binds":["a","b"]},"Cmd":["x"]})");
    auto other = module;
    other.create_options = options(R"({"Cmd":["x"],"Env":null,"HostConfig":{"Binds":["a","b"],"Memory":1}})");
    CHECK(print_of(module) == print_of(other));
    other.create_options = options(R"({"Cmd":["x"],"HostConfig":{"Binds":["b","a"],"Memory":1}})");
    CHECK(print_of(module) != print_of(other));
    other.create_options = options(R"({"Cmd":["x"],"HostConfig":{"Binds":["a","b"],"Memory":1,"Init":false}})");
    CHECK(print_of(module) != print_of(other));
}

TEST_CASE("the spec carries its fingerprint as a label, beside the module's own labels") {
    auto module = module_named("filter");
    module.create_options = options(R"({"Labels":{"mine":"1"}})");
    const auto spec = make_spec(module, {}, facts_of_a_device(), "g");
    const auto& labels = spec.create_options.at("Labels").as_object();
    CHECK(labels.at("mine") == "1");
    CHECK(std::string_view(labels.at(spec_label).as_string()) == print_of(module));
    module.create_options = options(R"({"Labels":7})");
    CHECK(make_spec(module, {}, facts_of_a_device(), "g").create_options.at("Labels").is_object());
}

namespace {

std::shared_ptr<const Deployment> deployment_with_agent(std::string_view image,
                                                        std::string_view create_options = "{}") {
    const json::object agent{{"type", "docker"},
                             {"settings", json::object{{"image", image}, {"createOptions", create_options}}}};
    const json::object desired{{"schemaVersion", "1.1"},
                               {"runtime", json::object{{"type", "docker"}, {"settings", json::object()}}},
                               {"systemModules", json::object{{"edgeAgent", agent}}}};
    return make_deployment(desired, 1, facts_of_a_device()).value();
}

model::ModuleStatus bootstrap_agent(std::string image, json::object labels) {
    model::ModuleStatus status;
    status.name = "edgeAgent";
    status.image = std::move(image);
    status.create_options["Labels"] = std::move(labels);
    return status;
}

}  // namespace

TEST_CASE("labels of createOptions are found whatever their case: there must be one member of that name") {
    auto module = module_named("filter");
    module.create_options = options(R"({"labels":{"mine":"1"}})");
    const auto spec = make_spec(module, {}, facts_of_a_device(), "g");
    CHECK(spec.create_options.size() == 1);
    const auto& labels = spec.create_options.at("labels").as_object();
    CHECK(labels.at("mine") == "1");
    CHECK(std::string_view(labels.at(spec_label).as_string()) == print_of(module));
}

TEST_CASE("an agent that the daemon started is as wanted when image, options and environment are the manifest's") {
    const auto deployment = deployment_with_agent("agent:1", "{\"HostConfig\":{\"Privileged\":false}}");
    const auto wanted = deployment->modules.at(0).fingerprint;
    const json::object plain{{"net.azure-devices.edge.create-options", "{}"}, {"net.azure-devices.edge.env", "{}"}};
    CHECK(applied_fingerprint(bootstrap_agent("agent:1", plain), *deployment) == wanted);
    CHECK(applied_fingerprint(bootstrap_agent("agent:1", {}), *deployment) == wanted);
    CHECK(applied_fingerprint(bootstrap_agent("agent:2", plain), *deployment).empty());
    CHECK(applied_fingerprint(bootstrap_agent("agent", plain), *deployment_with_agent("agent")) ==
          deployment_with_agent("agent:latest")->modules.at(0).fingerprint);

    auto other = plain;
    other["net.azure-devices.edge.create-options"] = R"({"HostConfig":{"Memory":1}})";
    CHECK(applied_fingerprint(bootstrap_agent("agent:1", other), *deployment).empty());
    other = plain;
    other["net.azure-devices.edge.env"] = R"({"A":{"value":"1"}})";
    CHECK(applied_fingerprint(bootstrap_agent("agent:1", other), *deployment).empty());
    other["net.azure-devices.edge.env"] = "no JSON";
    CHECK(applied_fingerprint(bootstrap_agent("agent:1", other), *deployment).empty());
}

TEST_CASE("of another module only the label tells what it is") {
    const auto deployment = deployment_with_agent("agent:1");
    auto status = bootstrap_agent("agent:1", {});
    status.name = "edgeHub";
    CHECK(applied_fingerprint(status, *deployment).empty());
    status.create_options["Labels"] = json::object{{spec_label, "abc"}};
    CHECK(applied_fingerprint(status, *deployment) == "abc");
    status.create_options["Labels"] = 7;
    CHECK(applied_fingerprint(status, *deployment).empty());
}

TEST_CASE("an environment without what the daemon sets is refused by the name of what is missing") {
    const auto facts = DeviceFacts::from(daemonapi::Environment({{"IOTEDGE_DEVICEID", "d"}}));
    REQUIRE_FALSE(facts);
    CHECK(facts.error().text.find("IOTEDGE_IOTHUBHOSTNAME") != std::string::npos);
}
