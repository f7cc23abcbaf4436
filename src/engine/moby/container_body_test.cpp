#include "engine/moby/container_body.hpp"

#include "model/twin.hpp"

#include <doctest/doctest.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

using namespace skerry;
using namespace skerry::engine::moby;
namespace json = boost::json;

namespace {
model::ModuleSpec spec(const char* options) {
    model::ModuleSpec out;
    out.name = "m";
    out.image = "repo/m:1";
    out.create_options = model::parse_object(options).value();
    out.env = {{"B", "deployment"}, {"A", "1"}};
    return out;
}

Surroundings around() {
    Surroundings out;
    out.socket_folder = "/home/mnt/1";
    out.network = "azure-iot-edge";
    return out;
}

json::object body_of(const char* options, const Surroundings& surroundings = around()) {
    const auto body = make_container_body(spec(options), surroundings);
    REQUIRE_MESSAGE(body, body.error().text);
    return body->json;
}

json::value parsed(const char* text) { return json::parse(text); }
}  // namespace

TEST_CASE("a module without createOptions gets its image, variables, labels, sockets and network") {
    auto surroundings = around();
    surroundings.aliases = {"gateway"};
    surroundings.storage = "/home/storage/m";
    CHECK(json::value(body_of("{}", surroundings)) == parsed(R"({
        "Image": "repo/m:1",
        "Env": ["A=1", "B=deployment"],
        "Labels": {"net.azure-devices.edge.owner": "Microsoft.Azure.Devices.Edge.Agent",
                   "net.azure-devices.edge.original-image": "repo/m:1"},
        "HostConfig": {"Binds": ["/home/mnt/1:/var/run/iotedge", "/home/storage/m:/var/lib/skerry"],
                       "NetworkMode": "azure-iot-edge"},
        "NetworkingConfig": {"EndpointsConfig": {"azure-iot-edge": {"Aliases": ["gateway"]}}}})"));
}

TEST_CASE("createOptions are passed on as they are, known or not") {
    const auto body = body_of(R"({
        "Cmd": ["a", 1, null], "Healthcheck": {"Test": ["CMD", "true"], "Interval": 1000000000},
        "ExposedPorts": {"80/tcp": {}}, "Unheard-of": {"x": [1.5, true]}, "Labels": {"mine": "yes"},
        "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "8080"}]}, "Memory": 67108864,
                       "Binds": ["/data:/data:ro"], "LogConfig": {"Type": "local"}, "Devices": [],
                       "RestartPolicy": {"Name": "no"}}})");
    CHECK(body.at("Cmd") == parsed(R"(["a", 1, null])"));
    CHECK(body.at("Healthcheck").at("Interval") == 1000000000);
    CHECK(body.at("Unheard-of") == parsed(R"({"x": [1.5, true]})"));
    CHECK(body.at("Labels").at("mine") == "yes");
    const auto& host = body.at("HostConfig");
    CHECK(host.at("Memory") == 67108864);
    CHECK(host.at("PortBindings") == parsed(R"({"80/tcp": [{"HostPort": "8080"}]})"));
    CHECK(host.at("Devices") == json::array());
    CHECK(host.at("Binds") == parsed(R"(["/data:/data:ro", "/home/mnt/1:/var/run/iotedge"])"));
}

TEST_CASE("variables of createOptions win over the deployment's") {
    CHECK(body_of(R"({"Env": ["B=options", "C=a=b", "EMPTY"]})").at("Env") ==
          parsed(R"(["A=1", "B=options", "C=a=b", "EMPTY"])"));
    const auto other_case = body_of(R"({"env": ["B=options"]})");
    CHECK(other_case.at("Env") == parsed(R"(["A=1", "B=options"])"));
    CHECK_FALSE(other_case.contains("env"));
}

TEST_CASE("names count whatever their case, as the engine reads them") {
    const auto body = body_of(R"({"hostConfig": {"binds": ["/a:/b"]}, "image": "other", "labels": {"x": "y"}})");
    CHECK_FALSE(body.contains("HostConfig"));
    CHECK(body.at("hostConfig").at("binds") == parsed(R"(["/a:/b", "/home/mnt/1:/var/run/iotedge"])"));
    CHECK(body.at("image") == "repo/m:1");
    CHECK(body.at("labels").as_object().size() == 3);
}

TEST_CASE("what would lie on the folder of sockets gives way, as the existing agent's binds of single sockets") {
    const auto body = body_of(R"({"HostConfig": {
        "Binds": ["/v/m.sock:/var/run/iotedge/workload.sock", "/x:/run/iotedge/", "/y:/var/run/iotedged", "volume"],
        "Mounts": [{"Type": "bind", "Source": "/m", "Target": "/var/run/iotedge/mgmt.sock"},
                   {"Type": "bind", "Source": "/n", "Target": "/n"}]}})");
    CHECK(body.at("HostConfig").at("Binds") ==
          parsed(R"(["/y:/var/run/iotedged", "volume", "/home/mnt/1:/var/run/iotedge"])"));
    CHECK(body.at("HostConfig").at("Mounts").as_array().size() == 1);
}

TEST_CASE("a mount of the user's where our storage would be is the user's") {
    auto surroundings = around();
    surroundings.storage = "/home/storage/m";
    const auto binds = [&](const char* options) {
        return body_of(options, surroundings).at("HostConfig").at("Binds").as_array().size();
    };
    CHECK(binds("{}") == 2);
    CHECK(binds(R"({"HostConfig": {"Binds": ["/d:/var/lib/skerry"]}})") == 2);
    CHECK(binds(R"({"HostConfig": {"Mounts": [{"Target": "/var/lib/skerry/"}]}})") == 1);
}

TEST_CASE("a network that createOptions choose is kept") {
    for (const auto* const options :
         {R"({"HostConfig": {"NetworkMode": "host"}})", R"({"HostConfig": {"NetworkMode": "container:x"}})",
          R"({"NetworkingConfig": {"EndpointsConfig": {"mine": {}}}})"}) {
        const auto body = body_of(options);
        CHECK(json::serialize(body).find("azure-iot-edge\":") == std::string::npos);
    }
    CHECK(body_of(R"({"HostConfig": {"NetworkMode": "default"}})")
              .at("NetworkingConfig")
              .at("EndpointsConfig")
              .as_object()
              .contains("azure-iot-edge"));
    CHECK(body_of(R"({"NetworkingConfig": {"EndpointsConfig": null}})")
              .at("NetworkingConfig")
              .at("EndpointsConfig")
              .as_object()
              .contains("azure-iot-edge"));
}

TEST_CASE("without elevated permissions a module is not privileged, adds no capability and loses two") {
    auto surroundings = around();
    surroundings.may_be_elevated = false;
    const auto body = make_container_body(
        spec(R"({"HostConfig": {"Privileged": true, "CapAdd": ["SYS_ADMIN"], "CapDrop": ["KILL"]}})"), surroundings);
    REQUIRE(body);
    const auto& host = body->json.at("HostConfig");
    CHECK(host.at("Privileged") == false);
    CHECK(host.at("CapAdd") == json::array());
    CHECK(host.at("CapDrop") == parsed(R"(["CHOWN", "SETUID", "KILL"])"));
    REQUIRE(body->warnings.size() == 2);
    CHECK(body->warnings[0].starts_with("HostConfig.Privileged is refused"));
    CHECK(body->warnings[1].starts_with("HostConfig.CapAdd is refused"));
    const std::string_view told = body->json.at("Labels").at("net.skerry.refused").as_string();
    CHECK(told == "HostConfig.Privileged, HostConfig.CapAdd");
    const auto plain = make_container_body(spec("{}"), surroundings);
    REQUIRE(plain);
    CHECK_FALSE(plain->json.at("Labels").as_object().contains("net.skerry.refused"));
    CHECK(plain->warnings.empty());
    CHECK(plain->json.at("HostConfig").at("CapDrop") == parsed(R"(["CHOWN", "SETUID"])"));
}

TEST_CASE("createOptions of a wrong shape are refused by name, before the engine sees them") {
    struct Row {
        const char* options;
        const char* named;
    };
    const Row rows[] = {
        {R"({"Env": [1]})", "Env"},
        {R"({"Labels": []})", "Labels"},
        {R"({"HostConfig": 5})", "HostConfig"},
        {R"({"HostConfig": {"Binds": {}}})", "HostConfig.Binds"},
        {R"({"HostConfig": {"Binds": [1]}})", "HostConfig.Binds"},
        {R"({"NetworkingConfig": []})", "NetworkingConfig"},
        {R"({"NetworkingConfig": {"EndpointsConfig": []}})", "NetworkingConfig.EndpointsConfig"},
    };
    for (const auto& row : rows) {
        const auto body = make_container_body(spec(row.options), around());
        REQUIRE_FALSE_MESSAGE(body, row.options);
        CHECK(body.error().code == Errc::malformed);
        CHECK(body.error().text.starts_with(row.named));
    }
}

TEST_CASE("a reference without a tag means latest: the engine would pull all tags") {
    CHECK(with_tag("m") == "m:latest");
    CHECK(with_tag("host:5000/m") == "host:5000/m:latest");
    CHECK(with_tag("host:5000/m:1") == "host:5000/m:1");
    CHECK(with_tag("m@sha256:12") == "m@sha256:12");
}

TEST_CASE("a name that no container can have is refused with the rule") {
    for (const auto* const name : {"edgeAgent", "m-1_2.3", "00"}) CHECK(check_container_name(name));
    for (const auto* const name : {"", "m", "-m", "$edgeHub", "a/b", "a b"}) CHECK_FALSE(check_container_name(name));
}

TEST_CASE("the engine's own restart policy is left out with a warning; the agent restarts modules") {
    const auto body = make_container_body(spec(R"({"HostConfig": {"restartPolicy": {"Name": "always"}}})"), around());
    REQUIRE(body);
    CHECK_FALSE(body->json.at("HostConfig").as_object().contains("restartPolicy"));
    REQUIRE(body->warnings.size() == 1);
    CHECK(body->warnings[0] == "HostConfig.RestartPolicy 'always' is left out: the deployment's restartPolicy counts");
    const auto none = make_container_body(spec(R"({"HostConfig": {"RestartPolicy": {"Name": "no"}}})"), around());
    REQUIRE(none);
    CHECK(none->warnings.empty());
}

TEST_CASE("a log has bounds unless createOptions say how it is to be") {
    auto surroundings = around();
    surroundings.limits = LogLimits{"1m", 2};
    const auto log_of = [&](const char* options) {
        return json::serialize(body_of(options, surroundings).at("HostConfig").at("LogConfig"));
    };
    const std::string bounded = R"({"Type":"json-file","Config":{"max-size":"1m","max-file":"2"}})";
    CHECK(log_of("{}") == bounded);
    CHECK(log_of(R"({"HostConfig": {"LogConfig": {"Type": "", "Config": {}}}})") == bounded);
    CHECK(log_of(R"({"HostConfig": {"LogConfig": {"Type": "journald"}}})") == R"({"Type":"journald"})");
    CHECK(log_of(R"({"HostConfig": {"LogConfig": {"Config": {"max-size": "9m"}}}})") ==
          R"({"Config":{"max-size":"9m"}})");
    CHECK_FALSE(body_of("{}").at("HostConfig").as_object().contains("LogConfig"));
    CHECK(make_container_body(spec(R"({"HostConfig": {"logConfig": {"Type": "local"}}})"), around())->chooses_log);
    CHECK_FALSE(make_container_body(spec(R"({"HostConfig": {"LogConfig": 1}})"), around()));
}

TEST_CASE("what the engine would read under another spelling is refused: privileges can't be smuggled in") {
    auto surroundings = around();
    surroundings.may_be_elevated = false;
    for (const auto* options :
         {R"({"HostConfig": {"Privileged": false, "privileged": true}})",
          R"({"HostConfig": {}, "hostconfig": {"Privileged": true}})", R"({"Ho\u017ftConfig": {"Privileged": true}})",
          R"({"HostConfig": {"Privileged": false, "\u212aernel": 1}})"})
        CHECK_MESSAGE(!make_container_body(spec(options), surroundings), options);
    const auto lower = make_container_body(spec(R"({"hostconfig": {"privileged": true}})"), surroundings);
    REQUIRE(lower);
    CHECK(lower->json.at("hostconfig").at("privileged") == false);
}
