#include "engine/create_options.hpp"

#include "model/twin.hpp"

#include <doctest/doctest.h>

using namespace skerry;
using namespace skerry::engine;

namespace {
Result<CreateOptions> options_of(std::string_view json) {
    return parse_create_options(model::parse_object(json).value());
}

Bundle bundle() {
    Bundle out;
    out.folder = "/bundles/m";
    out.entrypoint = {"./run", "-a"};
    out.command = {"-b"};
    out.environment = {{"A", "bundle"}, {"B", "bundle"}, {"C", "bundle"}};
    return out;
}
}  // namespace

TEST_CASE("what plain processes can't honour is named, and what says nothing is not") {
    const auto options = options_of(R"({
        "ExposedPorts":{"8883/tcp":{}}, "Hostname":"", "Tty":false, "Labels":{"a":"b"}, "StopTimeout":0,
        "HostConfig":{"PortBindings":{"8883/tcp":[{"HostPort":"8883"}]}, "Privileged":true, "CapAdd":[], "Memory":0,
                      "Binds":["/var/lib/x.sock:/var/run/iotedge/workload.sock"]},
        "NetworkingConfig":{"EndpointsConfig":{"azure-iot-edge":{}}}})");
    REQUIRE(options);
    CHECK(options->ignored == std::vector<std::string>{"ExposedPorts", "HostConfig.PortBindings",
                                                       "HostConfig.Privileged", "NetworkingConfig"});
    CHECK(options->binds.empty());
    CHECK(options->limits == Limits{});
}

TEST_CASE("how long a module may take to stop is read, within an hour") {
    const auto grace = [](const char* options) { return grace_of(model::parse_object(options).value()); };
    CHECK_FALSE(grace("{}"));
    CHECK_FALSE(grace(R"({"StopTimeout":null})"));
    CHECK(grace(R"({"StopTimeout":40})") == std::chrono::seconds(40));
    CHECK(grace(R"({"StopTimeout":0})") == std::chrono::seconds(0));
    CHECK(grace(R"({"StopTimeout":-1})") == std::chrono::hours(1));
    CHECK(grace(R"({"StopTimeout":99999})") == std::chrono::hours(1));
}

TEST_CASE("binds, limits and environment are taken") {
    const auto options = options_of(R"({"Env":["B=option","D"],"WorkingDir":"/w",
        "HostConfig":{"Binds":["/a:/b","/c:/d:ro","/e:/f:z,ro"],"Memory":67108864,"NanoCpus":500000000}})");
    REQUIRE(options);
    CHECK(options->binds == std::vector<BindMount>{{"/a", "/b", false}, {"/c", "/d", true}, {"/e", "/f", true}});
    CHECK(options->limits == Limits{67108864, 500000000});
    CHECK(options->environment == std::map<std::string, std::string>{{"B", "option"}, {"D", ""}});
    CHECK(options->working_folder == "/w");
    CHECK(options->ignored.empty());
}

TEST_CASE("an option of the wrong shape is refused by name") {
    struct Row {
        const char* json;
        const char* name;
    };
    for (const auto& row :
         {Row{R"({"Env":{}})", "Env"}, Row{R"({"Cmd":[1]})", "Cmd"}, Row{R"({"HostConfig":[]})", "HostConfig"},
          Row{R"({"HostConfig":{"Memory":"1g"}})", "HostConfig.Memory"},
          Row{R"({"HostConfig":{"NanoCpus":-1}})", "HostConfig.NanoCpus"},
          Row{R"({"HostConfig":{"Binds":["volume:/x"]}})", "HostConfig.Binds"}}) {
        const auto options = options_of(row.json);
        REQUIRE_FALSE(options);
        CHECK(options.error().code == Errc::malformed);
        CHECK_MESSAGE(options.error().text.find(row.name) == 0, options.error().text);
    }
}

TEST_CASE("environment layers: bundle, deployment, createOptions, each over the one before") {
    const auto files = storage::make_system_files();
    const auto options = options_of(R"({"Env":["C=option"]})");
    const auto launch = make_launch(bundle(), {{"B", "deployment"}, {"C", "deployment"}}, *options, *files);
    REQUIRE(launch);
    CHECK(launch->arguments == std::vector<std::string>{"/bundles/m/run", "-a", "-b"});
    CHECK(launch->working_folder == "/bundles/m/");
    CHECK(launch->environment ==
          std::vector<std::string>{"A=bundle", "B=deployment", "C=option", "HOME=/",
                                   "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"});
}

TEST_CASE("another entrypoint drops the bundle's command, another command keeps its entrypoint") {
    const auto files = storage::make_system_files();
    const auto arguments = [&](const char* json) {
        return make_launch(bundle(), {}, *options_of(json), *files)->arguments;
    };
    CHECK(arguments(R"({"Entrypoint":["sh"]})") == std::vector<std::string>{"sh"});
    CHECK(arguments(R"({"Entrypoint":"/bin/sh","Cmd":["-c","x"]})") == std::vector<std::string>{"/bin/sh", "-c", "x"});
    CHECK(arguments(R"({"Cmd":["-c"]})") == std::vector<std::string>{"/bundles/m/run", "-a", "-c"});
    Bundle empty;
    empty.folder = "/bundles/e";
    CHECK_FALSE(make_launch(empty, {}, CreateOptions{}, *files));
}

TEST_CASE("a start order survives its way to the shim, and a damaged one is refused") {
    Launch launch;
    launch.folder = "/state/m-x";
    launch.working_folder = "/";
    launch.arguments = {"sh", "", "-c"};
    launch.environment = {"A=1\n2"};
    launch.socket_folder = "/s";
    launch.binds = {{"/a", "/b", true}, {"/c", "/d", false}};
    launch.cgroup_procs = {"/sys/x"};
    launch.sockets = {"/s/workload.sock"};
    launch.notes = {"note"};
    launch.log_bytes = 1ULL << 40;
    const auto bytes = encode(launch);
    CHECK(decode_launch(bytes).value() == launch);
    CHECK_FALSE(decode_launch(std::string_view(bytes).substr(0, bytes.size() - 1)));
    CHECK_FALSE(decode_launch("a\xff\xff\xff\xffx"));
    CHECK_FALSE(decode_launch(""));
}
