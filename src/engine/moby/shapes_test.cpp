// What Docker 20.10 and Podman 4 answer, as data.
#include "engine/moby/shapes.hpp"

#include "engine/moby/json_lines.hpp"
#include "engine/moby/pull_progress.hpp"
#include "model/twin.hpp"

#include <doctest/doctest.h>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <fmt/format.h>

using namespace skerry;
using namespace skerry::engine;
using namespace skerry::engine::moby;
using model::Health;
using model::RuntimeState;

namespace {
std::string container(std::string_view state, std::string_view config = R"({"Image":"m:1"})") {
    return fmt::format(R"({{"Id":"abc","Name":"/m","Image":"sha256:12","State":{},"Config":{}}})", state, config);
}
}  // namespace

TEST_CASE("a container's state is told as the existing runtime tells it, with the reason in words") {
    struct Row {
        const char* state;
        RuntimeState expected;
        const char* description;
        std::optional<int> exit_code;
    };
    const Row rows[] = {
        {R"({"Status":"created","ExitCode":0,"StartedAt":"0001-01-01T00:00:00Z","FinishedAt":"0001-01-01T00:00:00Z"})",
         RuntimeState::stopped, "created, not started", std::nullopt},
        {R"({"Status":"running","ExitCode":0,"StartedAt":"2024-01-31T10:00:00.123456789Z","FinishedAt":"2024-01-30T10:00:00Z"})",
         RuntimeState::running, "", std::nullopt},
        {R"({"Status":"paused","ExitCode":0})", RuntimeState::stopped, "paused", std::nullopt},
        {R"({"Status":"restarting","ExitCode":1,"FinishedAt":"2024-01-31T10:00:00Z"})", RuntimeState::stopped,
         "restarting", 1},
        {R"({"Status":"exited","ExitCode":0,"FinishedAt":"2024-01-31T10:00:00Z"})", RuntimeState::stopped, "", 0},
        {R"({"Status":"exited","ExitCode":3,"FinishedAt":"2024-01-31T10:00:00Z"})", RuntimeState::failed,
         "ended with exit code 3", 3},
        {R"({"Status":"exited","ExitCode":137,"FinishedAt":"2024-01-31T10:00:00Z"})", RuntimeState::failed,
         "ended by signal 9", 137},
        {R"({"Status":"exited","ExitCode":137,"OOMKilled":true,"FinishedAt":"2024-01-31T10:00:00Z"})",
         RuntimeState::failed, "killed: it used more memory than its limit", 137},
        {R"({"Status":"created","ExitCode":127,"Error":"exec: \"/no\": not found\n","FinishedAt":"0001-01-01T00:00:00Z"})",
         RuntimeState::stopped, "exec: \"/no\": not found", std::nullopt},
        {R"({"Status":"removing","ExitCode":1,"FinishedAt":"2024-01-31T10:00:00Z"})", RuntimeState::failed, "removing",
         1},
        {R"({"Status":"dead","ExitCode":1,"FinishedAt":"2024-01-31T10:00:00Z"})", RuntimeState::dead,
         "ended with exit code 1", 1},
        {R"({"Status":"configured"})", RuntimeState::stopped, "", std::nullopt},  // Podman's "created"
        {R"({"Status":"sleeping"})", RuntimeState::unknown, "", std::nullopt},
    };
    for (const auto& row : rows) {
        const auto read = parse_container(container(row.state));
        REQUIRE_MESSAGE(read, row.state);
        CHECK_MESSAGE(read->status.state == row.expected, row.state);
        CHECK(read->status.description == row.description);
        CHECK_MESSAGE(read->status.exit_code == row.exit_code, row.state);
    }
}

TEST_CASE("a container is read with its times, its image and its labels") {
    const auto read = parse_container(container(
        R"({"Status":"running","StartedAt":"2024-01-31T10:00:00.5Z","FinishedAt":"2024-01-30T10:00:00Z"})",
        R"({"Image":"m@sha256:12","Tty":true,"Labels":{"net.azure-devices.edge.original-image":"m:1","a":"b"}})"));
    REQUIRE(read);
    CHECK(read->id == "abc");
    CHECK(read->tty);
    CHECK(read->status.name == "m");
    CHECK(read->status.image == "m:1");
    CHECK(read->status.image_hash == "sha256:12");
    CHECK(read->status.create_options.at("Labels").at("a") == "b");
    CHECK(format_rfc3339(*read->status.started) == "2024-01-31T10:00:00.500Z");
    CHECK_FALSE(read->status.exited);  // of the run before
}

TEST_CASE("a container says how long it may take to stop") {
    const auto grace = [](std::string_view config) {
        return parse_container(fmt::format(R"({{"Id":"i","State":{{"Status":"running"}},"Config":{}}})", config))
            ->grace;
    };
    CHECK_FALSE(grace(R"({"StopTimeout":null})"));
    CHECK_FALSE(grace(R"({"StopTimeout":0})"));
    CHECK(grace(R"({"StopTimeout":40})") == std::chrono::seconds(40));
}

TEST_CASE("a health check's verdict is read, with what its last probe said") {
    const auto health = [](std::string_view text) {
        return parse_container(container(fmt::format(R"({{"Status":"running","Health":{}}})", text)))->status;
    };
    CHECK(health(R"({"Status":"healthy","Log":[]})").health == Health::healthy);
    CHECK(health(R"({"Status":"starting"})").health == Health::starting);
    CHECK(health(R"({"Status":"none"})").health == Health::none);
    CHECK(health(R"({"Status":""})").health == Health::none);
    CHECK(health("null").health == Health::none);
    const auto bad = health(R"({"Status":"unhealthy","Log":[{"Output":"ok"},{"Output":"no answer\n"}]})");
    CHECK(bad.health == Health::unhealthy);
    CHECK(bad.state == RuntimeState::running);
    CHECK(bad.description == "unhealthy: no answer");
}

TEST_CASE("what a container was refused is part of its description, beside what else there is to say") {
    const auto described = [](std::string_view state) {
        return parse_container(container(state, R"({"Labels":{"net.skerry.refused":"HostConfig.Privileged"}})"))
            ->status.description;
    };
    CHECK(described(R"({"Status":"running"})") == "refused: HostConfig.Privileged");
    CHECK(described(R"({"Status":"exited","ExitCode":3,"FinishedAt":"2026-01-01T00:00:00Z"})") ==
          "ended with exit code 3; refused: HostConfig.Privileged");
}

TEST_CASE("an answer that can't be used is malformed, and never a half-read container") {
    for (const auto* const body : {"", "[]", "{", "null", R"({"Id":"a"})", R"({"State":{"Status":"running"}})",
                                   R"({"Id":1,"State":{"Status":"running"}})", R"({"Id":"a","State":"running"})"}) {
        const auto read = parse_container(body);
        REQUIRE_FALSE_MESSAGE(read, body);
        CHECK(read.error().code == Errc::malformed);
    }
    CHECK_FALSE(parse_containers(R"([{"Id":"a"}])"));
    CHECK_FALSE(parse_containers("{}"));
    CHECK_FALSE(parse_created(R"({"Warnings":[]})"));
    CHECK_FALSE(parse_version(R"({"Version":"20"})"));
}

TEST_CASE("a list gives each container's own name, not those of its links") {
    const auto list = parse_containers(R"([{"Id":"1","Names":["/other/alias","/m"]},{"Id":"2","Names":["n"]}])");
    REQUIRE(list);
    REQUIRE(list->size() == 2);
    CHECK(list->at(0).name == "m");
    CHECK(list->at(1).name == "n");
    CHECK(parse_containers("[]")->empty());
}

TEST_CASE("a list tells how a container looks, without what changes by itself") {
    const auto list = parse_containers(R"list([
        {"Id":"1","Names":["/a"],"State":"running","Status":"Up 5 minutes (healthy)"},
        {"Id":"2","Names":["/b"],"State":"running","Status":"Up 2 hours"},
        {"Id":"3","Names":["/c"],"State":"exited","Status":"Exited (3) 2 hours ago"},
        {"Id":"4","Names":["/d"],"State":"running","Status":"Up ) 2 ("}, {"Id":"5","Names":["/e"]}])list");
    REQUIRE(list);
    CHECK(list->at(0).look == "running (healthy)");
    CHECK(list->at(1).look == "running");
    CHECK(list->at(2).look == "exited (3)");
    CHECK(list->at(3).look == "running");
    CHECK(list->at(4).look.empty());
}

TEST_CASE("a new container's id and the engine's warnings are read") {
    const auto made = parse_created(R"({"Id":"a","Warnings":["no swap limit"]})");
    REQUIRE(made);
    CHECK(made->id == "a");
    CHECK(made->warnings == std::vector<std::string>{"no swap limit"});
    CHECK(parse_created(R"({"Id":"a","Warnings":null})")->warnings.empty());
}

TEST_CASE("an event says what happened to which container") {
    const auto event = parse_event(
        model::parse_object(
            R"({"status":"die","id":"12","Type":"container","Action":"die","Actor":{"ID":"12","Attributes":{"name":"m","exitCode":"3"}}})")
            .value());
    CHECK(event.action == "die");
    CHECK(event.id == "12");
    CHECK(event.name == "m");
    CHECK(parse_event({}).action.empty());
}

TEST_CASE("a network counts only by its whole name") {
    const auto* const list = R"([{"Name":"my-azure-iot-edge-2"},{"Name":"azure-iot-edge"}])";
    CHECK(has_network(list, "azure-iot-edge").value());
    CHECK_FALSE(has_network(R"([{"Name":"my-azure-iot-edge-2"}])", "azure-iot-edge").value());
    CHECK_FALSE(has_network("{}", "azure-iot-edge"));
    CHECK(network_ids(R"([{"Name":"a","Id":"1"},{"name":"b","id":"2"},7,{"Name":"c"}])").value() ==
          std::vector<std::string>{"1", "2"});
    CHECK_FALSE(network_ids("{}"));
}

TEST_CASE("the API version spoken is 1.41, or the engine's own that is nearest") {
    const auto spoken = [](const char* api, const char* oldest) { return api_to_speak({"", api, oldest}); };
    CHECK(spoken("1.41", "1.12") == "1.41");
    CHECK(spoken("1.52", "1.44") == "1.44");
    CHECK(spoken("1.40", "1.12") == "1.40");
    CHECK(spoken("1.9", "") == "1.9");
    const auto read = parse_version(R"({"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12"})");
    CHECK(read == Version{"20.10.24", "1.41", "1.12"});
}

TEST_CASE("an error is the engine's message, whatever it is wrapped in") {
    CHECK(message_of(R"({"message":"No such container: m"})") == "No such container: m");
    CHECK(message_of(R"({"cause":"no such image","response":404})") == "no such image");
    CHECK(message_of("plain text\n") == "plain text");
    CHECK(message_of("").empty());
    CHECK(message_of(std::string(5000, 'x')).size() < 1100);
    CHECK(code_of(404) == Errc::not_found);
    CHECK(code_of(409) == Errc::conflict);
    CHECK(code_of(400) == Errc::malformed);
    CHECK(code_of(401) == Errc::unauthorized);
    CHECK(code_of(500) == Errc::io);
}

TEST_CASE("objects of a stream are found wherever the pieces are cut") {
    const std::string stream = "{\"a\":1}\r\n\r\n{\"a\":2}\n{\"a\":3}";
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
        JsonLines lines;
        std::int64_t sum = 0;
        const auto add = [&](const boost::json::object& object) -> Result<> {
            sum = sum * 10 + object.at("a").as_int64();
            return {};
        };
        REQUIRE(lines.feed(stream.substr(0, cut), add));
        REQUIRE(lines.feed(stream.substr(cut), add));
        REQUIRE(lines.finish(add));
        CHECK(sum == 123);
    }
    JsonLines lines;
    const auto ignore = [](const boost::json::object&) -> Result<> { return {}; };
    CHECK_FALSE(lines.feed("garbage\n", ignore));
    CHECK_FALSE(lines.feed(std::string(JsonLines::longest + 1, ' '), ignore));
}

namespace {
Result<> feed(PullProgress& progress, const char* line) { return progress.take(model::parse_object(line).value()); }
}  // namespace

TEST_CASE("a pull counts its layers and bytes") {
    PullProgress progress;
    REQUIRE(feed(progress, R"({"status":"Pulling from m","id":"1"})"));
    REQUIRE(feed(progress, R"({"status":"Pulling fs layer","progressDetail":{},"id":"aa"})"));
    REQUIRE(feed(progress, R"({"status":"Already exists","progressDetail":{},"id":"bb"})"));
    REQUIRE(
        feed(progress, R"({"status":"Downloading","progressDetail":{"current":1500000,"total":3000000},"id":"aa"})"));
    CHECK(progress.text() == "1 of 2 layers, 1.5 of 3.0 MB");
    REQUIRE(feed(progress, R"({"status":"Pull complete","progressDetail":{},"id":"aa"})"));
    REQUIRE(feed(progress, R"({"status":"Digest: sha256:12"})"));
    CHECK(progress.text() == "2 of 2 layers, 3.0 of 3.0 MB");
}

TEST_CASE("a pull that fails in the middle of its stream is an error, with a code by the engine's words") {
    PullProgress progress;
    const auto failed = feed(
        progress,
        R"({"errorDetail":{"message":"unauthorized: authentication required"},"error":"unauthorized: authentication required"})");
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == Errc::unauthorized);
    CHECK(failed.error().text == "unauthorized: authentication required");
    struct Row {
        const char* text;
        Errc code;
    };
    const Row rows[] = {
        {"manifest for m:1 not found: manifest unknown: manifest unknown", Errc::not_found},
        {"pull access denied for m, repository does not exist or may require 'docker login'", Errc::unauthorized},
        {"Get \"https://r/v2/\": dial tcp: lookup r on [::1]:53: no such host", Errc::unreachable},
        {"Get \"http://127.0.0.1:5000/v2/\": dial tcp 127.0.0.1:5000: connect: connection refused", Errc::unreachable},
        {"Get \"http://r/v2/m/manifests/1\": no basic auth credentials", Errc::unauthorized},
        {"net/http: request canceled while waiting for connection", Errc::unreachable},
        {"invalid reference format", Errc::malformed},
        {"write /var/lib/docker/tmp/x: no space left on device", Errc::io},
    };
    for (const auto& row : rows) CHECK_MESSAGE(pull_code(row.text, Errc::io) == row.code, row.text);
}

TEST_CASE("images are read with their names; what has none has none") {
    const auto image = parse_image(R"({"Id": "sha256:1", "RepoTags": ["a:1", "a:2"], "RepoDigests": ["a@sha256:2"]})");
    REQUIRE(image);
    CHECK(image->id == "sha256:1");
    CHECK(image->names == std::vector<std::string>{"a:1", "a:2"});
    CHECK(image->digests == std::vector<std::string>{"a@sha256:2"});
    CHECK_FALSE(parse_image("{}"));
    const auto all = parse_images(R"([{"Id": "1", "RepoTags": ["<none>:<none>"]}, {"Id": "2", "RepoTags": null}])");
    REQUIRE(all);
    CHECK(all->size() == 2);
    CHECK(all->front().names.empty());
    CHECK_FALSE(parse_images(R"([{"RepoTags": []}])"));
}

TEST_CASE("the images in use are all told, or none") {
    const auto ids = parse_images_in_use(R"([{"Id": "c", "ImageID": "sha256:1"}, {"Id": "d", "ImageID": "sha256:2"}])");
    REQUIRE(ids);
    CHECK(*ids == std::vector<std::string>{"sha256:1", "sha256:2"});
    CHECK_FALSE(parse_images_in_use(R"([{"Id": "c", "ImageID": "sha256:1"}, {"Id": "d"}])"));
    CHECK_FALSE(parse_images_in_use("{}"));
}

TEST_CASE("an engine's default log and its insecure registries are read") {
    const auto info = parse_info(R"({"LoggingDriver": "json-file", "RegistryConfig": {
        "InsecureRegistryCIDRs": ["127.0.0.0/8"],
        "IndexConfigs": {"docker.io": {"Secure": true}, "plant:5000": {"Secure": false}, "x": 1}}})");
    REQUIRE(info);
    CHECK(*info == EngineInfo{"json-file", {"127.0.0.0/8"}, {"plant:5000"}});
    CHECK(*parse_info("{}") == EngineInfo{});
    const auto container = parse_container(R"({"Id": "1", "State": {"Status": "created"}, "HostConfig":
        {"LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}}}})");
    REQUIRE(container);
    CHECK(container->log_driver == "json-file");
    CHECK(container->log_bounded);
}
