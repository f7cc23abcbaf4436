// Deployments that prove themselves or are undone, on a whole device: docs/safe-deployments.md.
#include "agent/log_tail.hpp"
#include "agent/supervisor.hpp"
#include "agent/world_test.hpp"

#include <doctest/doctest.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <fstream>

using namespace skerry;
using namespace skerry::agent;
using namespace skerry::agent::testing;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

json::object of_image(std::string_view image, json::object more = {}) {
    more["settings"] = json::object{{"image", image}};
    return more;
}

json::object with_policy(json::object manifest, json::object policy) {
    manifest["deploymentPolicy"] = std::move(policy);
    return manifest;
}

// A device with a good deployment of filter and sensor, version 1; images "…:bad" crash at once with exit code 3.
struct Proven : World {
    explicit Proven(Settings with = {}) {
        settings = with;
        daemon.crashing = {{"filter:bad", 3}, {"sensor:bad", 3}, {"hub:bad", 3}};
        hub.online = true;
        deploy(good());
        boot();
        run_for(5s);
        REQUIRE(hub.code() == 200);
        daemon.calls.clear();
    }

    static json::object good() { return manifest_of({{"filter", json::object()}, {"sensor", json::object()}}); }
    static json::object bad() { return manifest_of({{"filter", of_image("filter:bad")}, {"sensor", json::object()}}); }

    [[nodiscard]] bool touched(std::string_view module) const {
        return std::ranges::any_of(daemon.calls, [&](const std::string& call) {
            return call.ends_with(module) && !call.starts_with("prepare") && !call.starts_with("create identity");
        });
    }
    [[nodiscard]] std::string image(const std::string& module) const { return daemon.modules.at(module).image; }
    [[nodiscard]] bool as_before() const {
        return image("filter") == "filter:1" && daemon.running("filter") && !touched("sensor") && !touched("edgeHub");
    }
};

}  // namespace

TEST_CASE("a module that crashes again and again brings the previous deployment back, and the twin says why") {
    Proven world;
    world.daemon.logs["filter"] = "first\nconnecting\nno such host\n";
    world.deploy(Proven::bad());
    world.run_for(5s);
    CHECK_MESSAGE(world.hub.code() == 200, "it was carried out");
    CHECK(world.image("filter") == "filter:bad");
    world.run_for(40s);
    CHECK(world.as_before());
    CHECK(world.hub.code() == 500);
    CHECK(world.hub.at("lastDesiredVersion") == "2");
    for (const auto* word : {"version 2", "version 1", "filter", "exit code 3", "4 times", "no such host"})
        CHECK_MESSAGE(world.hub.description().find(word) != std::string::npos, world.hub.description());
    CHECK(world.hub.at("rollback.failedVersion") == "2");
    CHECK(world.hub.at("rollback.restoredVersion") == "1");
    CHECK(world.hub.at("rollback.module") == "filter");
    CHECK(world.hub.at("rollback.reason").find("exit code 3") != std::string::npos);
    CHECK(world.hub.at("rollback.log") == "first\nconnecting\nno such host");
    CHECK(parse_rfc3339(world.hub.at("rollback.time")));
}

TEST_CASE("it comes back with the cloud away, and is told when the cloud is back") {
    Proven world;
    world.deploy(Proven::bad());
    world.run_for(1s);
    world.go_offline();
    world.daemon.hub_away = true;
    world.run_for(2min);
    CHECK(world.as_before());
    CHECK(world.hub.at("rollback").empty());
    world.daemon.hub_away = false;
    world.go_online();
    world.run_for(5s);
    CHECK(world.hub.code() == 500);
    CHECK(world.hub.at("rollback.module") == "filter");
    CHECK(world.as_before());
}

TEST_CASE("its registry is not needed: the images are here still") {
    Proven world;
    world.deploy(Proven::bad());
    world.run_for(5s);
    world.daemon.missing = {{"filter:1", Errc::unauthorized}};
    world.daemon.specs["kept"].image = "filter:1";
    world.run_for(1min);
    CHECK(world.as_before());
}

TEST_CASE("a version that was rolled back is not tried again, by a new agent neither") {
    Proven world;
    world.deploy(Proven::bad());
    world.run_for(1min);
    REQUIRE(world.as_before());
    world.daemon.calls.clear();
    world.run_for(10min);
    world.kill();
    world.boot();
    world.run_for(10min);
    CHECK(world.daemon.calls.empty());
    CHECK(world.hub.code() == 500);
    CHECK(world.hub.at("rollback.failedVersion") == "2");
}

TEST_CASE("a version that was rolled back is tried again when it changes") {
    Proven world;
    world.deploy(Proven::bad());
    world.run_for(1min);
    world.daemon.crashing.clear();
    world.deploy(with_policy(Proven::bad(), {{"probationSeconds", 30}}));
    world.run_for(5s);
    CHECK(world.image("filter") == "filter:bad");
    CHECK(world.hub.code() == 200);
    CHECK_MESSAGE(world.hub.at("rollback.failedVersion") == "2", "it has not proved itself yet");
    world.run_for(1min);
    CHECK(world.image("filter") == "filter:bad");
    CHECK(world.hub.at("rollback").empty());
}

TEST_CASE("two failures in a row lead back to the same good deployment") {
    Proven world;
    world.deploy(Proven::bad());
    world.run_for(1min);
    world.deploy(manifest_of({{"filter", json::object()}, {"sensor", of_image("sensor:bad")}}));
    world.run_for(1min);
    CHECK(world.image("sensor") == "sensor:1");
    CHECK(world.daemon.running("sensor"));
    CHECK(world.hub.at("rollback.failedVersion") == "3");
    CHECK(world.hub.at("rollback.restoredVersion") == "1");
    CHECK(world.hub.at("rollback.module") == "sensor");
}

TEST_CASE("an agent that is killed on probation goes on counting") {
    Proven world;
    world.deploy(Proven::bad());
    world.run_for(13s);  // three ends so far
    world.kill();
    world.boot();
    world.run_for(25s);
    CHECK(world.as_before());
    CHECK(world.hub.code() == 500);
}

TEST_CASE("an agent that is killed on probation without a network knows where to go back to") {
    Proven world;
    world.deploy(Proven::bad());
    world.run_for(3s);
    world.kill();
    world.go_offline();
    world.daemon.hub_away = true;
    world.boot();
    world.run_for(2min);
    CHECK(world.as_before());
}

TEST_CASE("an agent that is killed while it goes back finishes that") {
    Proven world;
    world.daemon.slow.insert("update filter");
    world.deploy(with_policy(Proven::bad(), {{"failuresAllowed", 0}}));
    world.run_for(2s);
    world.daemon.release();
    world.daemon.slow.insert("prepare filter");
    world.run_for(5s);
    REQUIRE(world.hub.code() == 500);
    REQUIRE(world.image("filter") == "filter:bad");
    world.kill();
    world.go_offline();
    world.daemon.slow.clear();
    world.boot();
    world.run_for(5s);
    CHECK(world.as_before());
}

TEST_CASE("a newer version ends the window") {
    Proven world;
    world.deploy(Proven::bad());
    world.run_for(13s);
    world.deploy(manifest_of({{"filter", of_image("filter:2")}, {"sensor", json::object()}}));
    world.run_for(5min);
    CHECK(world.image("filter") == "filter:2");
    CHECK(world.hub.code() == 200);
    CHECK(world.hub.at("rollback").empty());
}

TEST_CASE("a bad version after a bad one is undone too") {
    Proven world;
    world.daemon.crashing["filter:worse"] = 4;
    world.deploy(Proven::bad());
    world.run_for(13s);
    world.deploy(manifest_of({{"filter", of_image("filter:worse")}, {"sensor", json::object()}}));
    world.run_for(1min);
    CHECK(world.as_before());
    CHECK(world.hub.at("rollback.failedVersion") == "3");
    CHECK(world.hub.at("rollback.restoredVersion") == "1");
}

TEST_CASE("a malformed version does not end it") {
    Proven world;
    world.deploy(Proven::bad());
    world.run_for(5s);
    world.deploy({{"schemaVersion", "7.0"}});
    world.run_for(1min);
    CHECK(world.as_before());
    CHECK(world.hub.code() == 412);
    CHECK(world.hub.at("rollback.failedVersion") == "2");
}

TEST_CASE("nothing is stopped when an image can't be had, and modules run on while it is waited for") {
    Proven world;
    world.daemon.missing = {{"sensor:2", Errc::io}};
    world.deploy(manifest_of({{"filter", of_image("filter:2")}, {"sensor", of_image("sensor:2")}}));
    world.run_for(10min);
    CHECK_FALSE(world.touched("filter"));
    CHECK_FALSE(world.touched("sensor"));
    CHECK(world.hub.code() == 500);
    CHECK(world.hub.description().find("no image sensor:2") != std::string::npos);
    CHECK(world.hub.at("rollback").empty());
    world.daemon.missing.clear();
    world.run_for(6min);
    CHECK(world.image("filter") == "filter:2");
    CHECK(world.image("sensor") == "sensor:2");
    CHECK(world.hub.code() == 200);
    CHECK(world.daemon.count("prepare filter") == 1);
}

TEST_CASE("an image that its registry does not have fails the deployment, before anything was stopped") {
    Proven world;
    world.daemon.missing = {{"filter:2", Errc::not_found}};
    world.deploy(manifest_of({{"filter", of_image("filter:2")}, {"sensor", of_image("sensor:2")}}));
    world.run_for(2min);
    CHECK_FALSE(world.touched("filter"));
    CHECK_FALSE(world.touched("sensor"));
    CHECK(world.hub.code() == 500);
    CHECK(world.hub.at("rollback.module") == "filter");
    CHECK(world.hub.at("rollback.reason").find("no image filter:2") != std::string::npos);
}

TEST_CASE("a module that can't be started fails the deployment") {
    Proven world;
    world.daemon.refused.insert("start fresh");
    auto manifest = Proven::good();
    manifest["modules"].as_object()["fresh"] = of_image("fresh:1", {{"type", "docker"}, {"status", "running"}});
    world.deploy(std::move(manifest));
    world.run_for(2min);
    CHECK_FALSE(world.daemon.modules.contains("fresh"));
    CHECK(world.hub.at("rollback.module") == "fresh");
    CHECK(world.hub.at("rollback.reason").find("starting it") != std::string::npos);
    CHECK_FALSE(world.touched("filter"));
}

TEST_CASE("a module that the failed deployment removed comes back with the cloud away") {
    Proven world;
    world.deploy(manifest_of({{"sensor", of_image("sensor:bad")}}));
    world.run_for(5s);
    CHECK_FALSE(world.daemon.modules.contains("filter"));
    CHECK_MESSAGE(world.daemon.ids.contains("filter"), "identities stay until the deployment has proved itself");
    world.go_offline();
    world.daemon.hub_away = true;
    world.run_for(2min);
    CHECK(world.daemon.running("filter"));
    CHECK(world.image("sensor") == "sensor:1");
}

TEST_CASE("what comes back is made of the image that it had, though its tag was moved") {
    const auto changed = manifest_of({{"filter", {{"env", {{"A", {{"value", "1"}}}}}}}, {"sensor", json::object()}});
    for (const bool killed : {false, true}) {
        Proven world;
        world.daemon.tags["filter:1"] = "bad";
        world.daemon.crashing["bad"] = 3;
        world.deploy(changed);
        world.run_for(5s);
        CHECK(world.daemon.modules.at("filter").image_hash == "bad");
        if (killed) {
            world.kill();
            world.boot();
        }
        world.run_for(2min);
        CHECK(world.daemon.running("filter"));
        CHECK(world.daemon.modules.at("filter").image_hash == "first filter:1");
        CHECK(world.hub.at("rollback.module") == "filter");
        CHECK_FALSE(world.touched("sensor"));

        world.daemon.tags["filter:1"] = "good again";
        world.deploy(manifest_of({{"filter", {{"env", {{"A", {{"value", "2"}}}}}}}, {"sensor", json::object()}}));
        world.run_for(2min);
        CHECK(world.daemon.modules.at("filter").image_hash == "good again");
        CHECK(world.hub.code() == 200);
    }
}

TEST_CASE("a hub that crashes is rolled back as any other module") {
    Proven world;
    auto manifest = Proven::good();
    manifest["systemModules"].as_object()["edgeHub"].as_object()["settings"].as_object()["image"] = "hub:bad";
    world.deploy(std::move(manifest));
    world.run_for(1min);
    CHECK(world.image("edgeHub") == "hub:1");
    CHECK(world.daemon.running("edgeHub"));
    CHECK(world.hub.at("rollback.module") == "edgeHub");
    CHECK_FALSE(world.touched("filter"));
}

TEST_CASE("a new agent that never comes up is given up for the one before") {
    Proven world;
    auto manifest = Proven::good();
    manifest["systemModules"].as_object()["edgeAgent"].as_object()["settings"].as_object()["image"] = "agent:broken";
    world.deploy(std::move(manifest));
    for (int round = 0; round < 60; ++round) {  // the daemon falls back to the agent it knows, again and again
        world.run_for(10s);
        world.kill();
        world.daemon.modules.erase("edgeAgent");
        world.daemon.add_agent("agent:1");
        world.boot();
    }
    world.run_for(2min);
    CHECK(world.daemon.count("update and start edgeAgent") == 3);
    CHECK(world.hub.at("rollback.module") == "edgeAgent");
    CHECK(world.hub.code() == 500);
}

TEST_CASE("modules that the deployment did not change have no say, nor have those that failed before") {
    Proven world;
    world.daemon.crashing["sensor:1"] = 1;
    world.daemon.crash("sensor", 1);
    world.run_for(3s);
    world.deploy(manifest_of({{"filter", of_image("filter:2")}, {"sensor", json::object()}}));
    world.run_for(3min);
    CHECK(world.image("filter") == "filter:2");
    world.deploy(manifest_of({{"filter", of_image("filter:2")}, {"sensor", of_image("sensor:bad")}}));
    world.run_for(3min);
    CHECK(world.image("sensor") == "sensor:bad");
    CHECK(world.hub.at("rollback").empty());
}

TEST_CASE("a job that ends with 0 is no failure") {
    Proven world;
    world.daemon.crashing["filter:job"] = 0;
    world.deploy(manifest_of(
        {{"filter", of_image("filter:job", {{"restartPolicy", "on-failure"}})}, {"sensor", json::object()}}));
    world.run_for(10min);
    CHECK(world.image("filter") == "filter:job");
    CHECK(world.hub.code() == 200);
}

TEST_CASE("an unhealthy module is restarted, and fails the deployment when that does not help") {
    Proven world;
    world.deploy(manifest_of({{"filter", of_image("filter:2")}, {"sensor", json::object()}}));
    world.run_for(3s);
    for (int second = 0; second < 90 && world.image("filter") == "filter:2"; ++second) {
        world.daemon.set_health("filter", model::Health::unhealthy);
        world.run_for(1s);
    }
    CHECK(world.daemon.count("restart filter") >= 2);
    CHECK(world.image("filter") == "filter:1");
    CHECK(world.hub.at("rollback.reason").find("unhealthy") != std::string::npos);
}

TEST_CASE("an unhealthy module is visible and is restarted without a deployment too") {
    Proven world;
    world.daemon.slow.insert("restart filter");
    world.daemon.set_health("filter", model::Health::unhealthy);
    world.run_for(5s);
    CHECK(world.hub.at("modules.filter.runtimeStatus") == "unhealthy");
    CHECK_MESSAGE(world.hub.code() == 200, "that is no deployment");
    world.daemon.crash("sensor", 1);
    world.run_for(5s);
    CHECK_MESSAGE(world.daemon.running("sensor"), "a slow stop delays nobody");
    world.daemon.release();
    world.run_for(3s);
    CHECK(world.daemon.count("restart filter") == 1);
    CHECK(world.hub.at("modules.filter.restartCount") == "1");
    CHECK(world.hub.at("modules.filter.runtimeStatus") == "running");
}

TEST_CASE("without rollback a bad deployment stays, by the deployment's wish or the agent's settings") {
    for (const bool in_deployment : {true, false}) {
        Proven world(in_deployment ? Settings{} : Settings{.probation = {.rollback = false}});
        world.deploy(in_deployment ? with_policy(Proven::bad(), {{"rollback", false}}) : Proven::bad());
        world.run_for(10min);
        CHECK(world.image("filter") == "filter:bad");
        CHECK(world.hub.code() == 200);
        CHECK(world.hub.at("modules.filter.runtimeStatus") == "backoff");
    }
}

TEST_CASE("without rollback modules are updated one by one, and WaitForAllPulls waits for all images") {
    for (const bool wait : {true, false}) {
        Proven world({.probation = {.rollback = false}, .wait_for_all_pulls = wait});
        world.daemon.missing = {{"sensor:2", Errc::not_found}};
        world.deploy(manifest_of({{"filter", of_image("filter:2")}, {"sensor", of_image("sensor:2")}}));
        world.run_for(1min);
        CHECK((world.image("filter") == "filter:1") == wait);
        CHECK(world.hub.code() == 500);
    }
}

TEST_CASE("a first deployment has nothing to go back to, says so and is tried on") {
    World world;
    world.hub.online = true;
    world.daemon.missing = {{"filter:1", Errc::not_found}};
    world.deploy(Proven::good());
    world.boot();
    world.run_for(10min);
    CHECK(world.daemon.running("sensor"));
    CHECK(world.hub.code() == 500);
    CHECK(world.hub.description().find("no earlier deployment") != std::string::npos);
    world.daemon.missing.clear();
    world.run_for(6min);
    CHECK(world.daemon.running("filter"));
    CHECK(world.hub.code() == 200);
}

TEST_CASE("what an agent of before left on disk counts as good") {
    Proven world;
    world.run_for(2min);
    world.kill();
    std::filesystem::remove(world.folder / "edgeAgent" / "last-good.json");
    std::filesystem::remove(world.folder / "edgeAgent" / "trial.json");
    world.boot();
    world.run_for(5s);
    CHECK(world.daemon.calls.empty());
    world.deploy(Proven::bad());
    world.run_for(1min);
    CHECK(world.as_before());
}

TEST_CASE("notes about the trial that can't be read cost the counts, not the way back") {
    Proven world;
    world.deploy(Proven::bad());
    world.run_for(5s);
    world.kill();
    std::ofstream(world.folder / "edgeAgent" / "trial.json") << "{\"trial\":";
    world.boot();
    world.run_for(3min);
    CHECK(world.as_before());
}

TEST_CASE("a stored deployment that can't be opened is waited for, but not for ever") {
    Proven world;
    world.kill();
    world.seal.away = true;
    world.change_quietly(manifest_of({{"filter", of_image("filter:2")}, {"sensor", json::object()}}));
    world.boot();
    world.run_for(10s);
    CHECK(world.daemon.calls.empty());
    world.run_for(10s);
    CHECK(world.image("filter") == "filter:2");
    CHECK(world.hub.code() == 200);
}

TEST_CASE("last words are a few short lines of text") {
    std::string frames("\1\0\0\0\0\0\0\6one\ntw\2\0\0\0\0\0\0\2o\n", 24);
    CHECK(last_words(frames) == "one\ntwo");
    const auto framed = [](const std::string& text) {
        std::string frame("\1\0\0\0\0\0", 6);
        frame.push_back(static_cast<char>(text.size() >> 8));
        frame.push_back(static_cast<char>(text.size() & 0xff));
        return frame + text;
    };
    CHECK(last_words(framed("1\n2\n3\n4\n5\n6\r\n\n7")) == "3\n4\n5\n6\n7");
    CHECK(last_words(framed(std::string(500, 'x'))).size() == line_bytes);
    CHECK(last_words(framed("a\tb\x1b[0m\xff")) == "a b?[0m?");
    CHECK(last_words("a terminal's\r\nlog, without frames") == "a terminal's\nlog, without frames");
    CHECK(last_words(framed("cut off").substr(0, 11)) == "cut");
}
