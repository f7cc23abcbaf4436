#include "agent/supervisor.hpp"

#include "agent/world_test.hpp"

#include <doctest/doctest.h>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>

using namespace skerry;
using namespace skerry::agent;
using namespace skerry::agent::testing;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

// A device that runs hub and filter of a first deployment.
struct Deployed : World {
    explicit Deployed(json::object filter = {}, Settings with = {}) {
        settings = with;
        hub.online = true;
        deploy(manifest_of({{"filter", std::move(filter)}}));
        boot();
        run_for(5s);
        REQUIRE(daemon.running("edgeHub"));
        REQUIRE(daemon.running("filter"));
        REQUIRE(hub.code() == 200);
        daemon.calls.clear();
    }
};

}  // namespace

TEST_CASE("a first deployment is carried out in order and reported") {
    World world;
    world.hub.online = true;
    world.deploy(manifest_of({{"filter", json::object()}}));
    world.boot();
    world.run_for(5s);

    CHECK(world.daemon.take_calls() ==
          std::vector<std::string>{"create identity $edgeHub", "prepare edgeHub", "create edgeHub", "start edgeHub",
                                   "create identity filter", "prepare filter", "create filter", "start filter"});
    CHECK(world.hub.code() == 200);
    CHECK(world.hub.at("lastDesiredVersion") == "1");
    CHECK(world.hub.at("modules.filter.runtimeStatus") == "running");
    CHECK(world.hub.at("systemModules.edgeHub.runtimeStatus") == "running");
    CHECK(world.hub.at("systemModules.edgeAgent.runtimeStatus") == "running");
    CHECK(world.daemon.specs.at("filter").env.at("IOTEDGE_MODULEGENERATIONID") == "g-filter");
}

TEST_CASE("while a deployment is carried out the status says so") {
    World world;
    world.hub.online = true;
    world.daemon.slow.insert("prepare filter");
    world.deploy(manifest_of({{"filter", json::object()}}));
    world.boot();
    world.run_for(5s);
    CHECK(world.hub.code() == 406);
    CHECK(world.hub.description() == "version 1 is being applied");
    world.daemon.release();
    world.run_for(5s);
    CHECK(world.hub.code() == 200);
}

TEST_CASE("when nothing changes nothing is commanded and nothing reported") {
    Deployed world;
    const auto patches = world.hub.patches.size();
    world.run_for(20min);
    CHECK(world.daemon.calls.empty());
    CHECK(world.hub.patches.size() == patches);
}

TEST_CASE("an agent that starts again touches no running module") {
    Deployed world;
    world.kill();
    world.run_for(10s);
    world.boot();
    world.run_for(1min);
    CHECK(world.daemon.calls.empty());
    CHECK(world.hub.code() == 200);
}

TEST_CASE("what was deployed runs at boot with no network") {
    Deployed world;
    world.kill();
    world.go_offline();
    world.run_for(1h);
    for (const auto* module : {"edgeHub", "filter"}) {  // the machine was off: nobody saw them end
        world.daemon.modules.at(module).state = model::RuntimeState::stopped;
        world.daemon.modules.at(module).exit_code.reset();
    }
    world.boot();
    world.run_for(1s);
    CHECK(world.daemon.take_calls() == std::vector<std::string>{"start edgeHub", "start filter"});
}

TEST_CASE("the stored deployment waits for a daemon that has not the key yet") {
    Deployed world;
    world.kill();
    world.go_offline();
    world.daemon.crash("filter", 1);
    world.seal.away = true;
    world.run_for(1h);
    world.boot();
    world.run_for(10s);
    CHECK(world.daemon.calls.empty());
    world.seal.away = false;
    world.run_for(2s);
    CHECK(world.daemon.running("filter"));
}

TEST_CASE("the stored deployment is sealed") {
    auto manifest = manifest_of({{"filter", json::object()}});
    manifest["runtime"].as_object()["settings"].as_object()["registryCredentials"] =
        json::object{{"r", json::object{{"address", "r.example"}, {"username", "u"}, {"password", "s3cret"}}}};
    World world;
    world.hub.online = true;
    world.deploy(std::move(manifest));
    world.boot();
    world.run_for(5s);
    std::ifstream file(world.folder / "edgeAgent" / "deployment.json");
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    CHECK(text.find("sealed") != std::string::npos);
    CHECK(text.find("s3cret") == std::string::npos);
    CHECK(json::serialize(world.hub.reported).find("s3cret") == std::string::npos);
}

TEST_CASE("a corrupt stored deployment is set aside and the twin's is used") {
    Deployed world;
    world.kill();
    const auto file = world.folder / "edgeAgent" / "deployment.json";
    std::ofstream(file) << "{\"format\":1,\"iv\":";
    std::ofstream(world.folder / "edgeAgent" / "modules.json") << "[]";
    world.boot();
    world.run_for(5s);
    CHECK(std::filesystem::exists(file.native() + ".bad"));
    CHECK(world.hub.code() == 200);
    CHECK(world.daemon.calls.empty());
}

TEST_CASE("a malformed manifest is reported with its reason, and the modules stay supervised") {
    Deployed world;
    auto bad = manifest_of({{"filter", json::object{{"restartPolicy", "sometimes"}}}});
    world.deploy(bad);
    world.run_for(3s);
    CHECK(world.hub.code() == 400);
    CHECK(world.hub.at("lastDesiredVersion") == "2");
    CHECK(world.hub.description().find("modules.filter.restartPolicy") != std::string::npos);
    CHECK(world.hub.description().find("sometimes") != std::string::npos);
    CHECK(world.daemon.calls.empty());

    world.daemon.crash("filter", 1);
    world.run_for(5s);
    CHECK(world.daemon.running("filter"));

    world.deploy(manifest_of({{"filter", json::object()}}));
    world.run_for(3s);
    CHECK(world.hub.code() == 200);
    CHECK(world.hub.at("lastDesiredVersion") == "3");
}

TEST_CASE("after a boot with a bad manifest in the twin the last good one is supervised") {
    Deployed world;
    world.kill();
    world.change_quietly({{"schemaVersion", "7.0"}});
    world.daemon.crash("filter", 1);
    world.run_for(1min);
    world.boot();
    world.run_for(5s);
    CHECK(world.daemon.running("filter"));
    CHECK(world.hub.code() == 412);
    CHECK(world.hub.at("lastDesiredVersion") == "2");
}

TEST_CASE("an empty twin is 417 and touches nothing") {
    Deployed world;
    world.deploy({});
    world.run_for(3s);
    CHECK(world.hub.code() == 417);
    CHECK(world.daemon.running("filter"));
}

TEST_CASE("a crashing module is restarted with growing pauses, visibly") {
    Deployed world;
    world.daemon.crash("filter", 3);
    world.run_for(3s);
    CHECK(world.daemon.count("start filter") == 1);
    world.daemon.crash("filter", 3);
    world.run_for(8s);
    CHECK(world.daemon.count("start filter") == 1);
    CHECK(world.hub.at("modules.filter.runtimeStatus") == "backoff");
    CHECK(world.hub.at("modules.filter.exitCode") == "3");
    CHECK(world.hub.at("modules.filter.restartCount") == "1");
    CHECK(world.hub.code() == 200);
    world.run_for(4s);
    CHECK(world.daemon.count("start filter") == 2);
    CHECK(world.hub.at("modules.filter.restartCount") == "2");
    CHECK(world.hub.at("modules.filter.runtimeStatus") == "running");
    world.run_for(15min);
    CHECK(world.hub.at("modules.filter.restartCount") == "0");
}

TEST_CASE("a module that crashes faster than the agent looks is held back all the same") {
    Deployed world;
    for (int second = 0; second < 60; ++second) {
        world.run_for(1s);
        if (world.daemon.running("filter")) world.daemon.crash("filter", 1);
    }
    CHECK(world.daemon.count("start filter") == 3);  // after 1 s, 10 s and 20 s; the next after 40 s
}

TEST_CASE("restart counts survive the agent") {
    Deployed world;
    for (int round = 0; round < 3; ++round) {
        world.daemon.crash("filter", 1);
        world.run_for(30s);
    }
    REQUIRE(world.hub.at("modules.filter.restartCount") == "3");
    world.kill();
    world.boot();
    world.run_for(3s);
    CHECK(world.hub.at("modules.filter.restartCount") == "3");
    world.daemon.crash("filter", 1);
    world.run_for(30s);
    CHECK_FALSE(world.daemon.running("filter"));
}

TEST_CASE("a clock that jumps back holds no module down") {
    Deployed world;
    world.daemon.crash("filter", 1);
    world.jump_wall(-24h);
    world.run_for(5s);
    CHECK(world.daemon.running("filter"));
}

TEST_CASE("under on-failure a module that ends with 0 stays stopped, and after a shutdown it runs again") {
    Deployed world(json::object{{"restartPolicy", "on-failure"}});
    world.daemon.crash("filter", 0);
    world.run_for(10min);
    CHECK(world.daemon.calls.empty());
    CHECK(world.hub.at("modules.filter.runtimeStatus") == "stopped");
    CHECK(world.hub.code() == 200);

    world.kill();
    world.boot();
    world.run_for(1min);
    CHECK_MESSAGE(world.daemon.calls.empty(), "that it had completed is remembered");

    world.daemon.modules.at("filter").state = model::RuntimeState::running;
    world.run_for(5s);
    world.kill();
    world.daemon.crash("filter", 0);
    world.run_for(1min);
    world.boot();
    world.run_for(5s);
    CHECK_MESSAGE(world.daemon.running("filter"), "it was stopped while no agent watched");
}

TEST_CASE("a daemon that is away for a while restarts nothing") {
    Deployed world;
    world.daemon.away = true;
    world.run_for(10s);
    CHECK(world.hub.code() == 200);
    world.run_for(1min);
    CHECK(world.hub.code() == 500);
    CHECK(world.hub.description().find("the daemon does not answer") != std::string::npos);
    world.daemon.away = false;
    world.run_for(5s);
    CHECK(world.daemon.calls.empty());
    CHECK(world.hub.code() == 200);
}

TEST_CASE("a crashed module is restarted while another one's image is still being fetched") {
    Deployed world;
    world.daemon.slow.insert("prepare sensor");
    world.deploy(manifest_of({{"filter", json::object()}, {"sensor", json::object()}}));
    world.run_for(5s);
    world.daemon.crash("filter", 1);
    world.run_for(5s);
    CHECK(world.daemon.running("filter"));
    CHECK_FALSE(world.daemon.modules.contains("sensor"));
    world.daemon.release();
    world.run_for(5s);
    CHECK(world.daemon.running("sensor"));
}

TEST_CASE("a newer deployment overtakes a slow fetch") {
    Deployed world;
    world.daemon.slow.insert("prepare sensor");
    world.deploy(manifest_of({{"filter", json::object()}, {"sensor", json::object()}}));
    world.run_for(5s);
    world.deploy(manifest_of({{"filter", json::object()}}));
    world.run_for(5s);
    CHECK(world.hub.code() == 200);
    CHECK_FALSE(world.daemon.modules.contains("sensor"));
}

TEST_CASE("a module without an identity is waited for by all that change, and the status says so") {
    Deployed world;
    world.daemon.hub_away = true;
    world.deploy(manifest_of({{"filter", json::object{{"env", json::object{{"A", json::object{{"value", "1"}}}}}}},
                              {"sensor", json::object()}}));
    world.run_for(5s);
    CHECK_FALSE(world.daemon.specs.at("filter").env.contains("A"));
    CHECK(world.daemon.running("filter"));
    CHECK_FALSE(world.daemon.modules.contains("sensor"));
    CHECK(world.hub.code() == 500);
    CHECK(world.hub.description().find("module 'sensor': waits for its identity") != std::string::npos);
    CHECK(world.hub.at("modules.sensor.runtimeStatus") == "unknown");
    CHECK(world.hub.at("modules.sensor.statusDescription").find("identity") != std::string::npos);

    world.run_for(10min);
    world.daemon.hub_away = false;
    world.go_online();
    world.run_for(3s);
    CHECK(world.daemon.running("sensor"));
    CHECK(world.daemon.specs.at("filter").env.at("A") == "1");
    CHECK(world.hub.code() == 200);
}

TEST_CASE("an update that failed is seen again, by a new agent too") {
    Deployed world;
    world.daemon.refused.insert("update filter");
    world.deploy(manifest_of({{"filter", json::object{{"env", json::object{{"A", json::object{{"value", "1"}}}}}}}}));
    world.run_for(5s);
    CHECK(world.hub.code() == 500);
    CHECK(world.hub.description().find("module 'filter': updating it: refused for the test") != std::string::npos);
    world.kill();
    world.daemon.refused.clear();
    world.boot();
    world.run_for(5s);
    CHECK(world.daemon.specs.at("filter").env.at("A") == "1");
    CHECK(world.hub.code() == 200);
}

TEST_CASE("a daemon that tells of changes is not asked for what has not changed; one that can't is asked often") {
    for (const bool tells : {true, false}) {
        CAPTURE(tells);
        Deployed world;
        world.daemon.tells = tells;
        world.run_for(1min);
        const auto looks = world.daemon.looks;
        world.run_for(1h);
        CHECK(world.daemon.looks - looks <= (tells ? 60 : 1800));
        CHECK(world.daemon.looks - looks >= (tells ? 59 : 1790));
        world.daemon.crash("filter", 1);
        world.run_for(tells ? 1200ms : 3200ms);
        CHECK(world.daemon.running("filter"));
    }
}

TEST_CASE("modules that have to be started are started side by side, after the hub, four at a time") {
    World world;
    world.hub.online = true;
    boost::json::object modules;
    for (const auto* name : {"a", "b", "c", "d", "e"}) modules[name] = json::object();
    world.deploy(manifest_of(modules));
    world.boot();
    world.run_for(10s);
    REQUIRE(world.hub.code() == 200);
    world.kill();
    for (const auto* name : {"a", "b", "c", "d", "e", "edgeHub"}) {
        world.daemon.crash(name, 137);
        world.daemon.slow.insert(std::string("start ") + name);
    }
    world.daemon.calls.clear();
    world.boot();
    world.run_for(5s);
    CHECK(world.daemon.take_calls() == std::vector<std::string>{"start edgeHub"});
    world.daemon.slow.erase("start edgeHub");
    world.daemon.let_go();
    world.run_for(5s);
    CHECK(world.daemon.take_calls() == std::vector<std::string>{"start a", "start b", "start c", "start d"});
    world.daemon.release();
    world.run_for(5s);
    CHECK(world.daemon.take_calls() == std::vector<std::string>{"start e"});
    for (const auto* name : {"a", "b", "c", "d", "e", "edgeHub"}) CHECK(world.daemon.running(name));
}

TEST_CASE("a daemon that goes away while it is waited for, and comes back with other modules, is asked at once") {
    Deployed world;
    world.run_for(1min);
    world.daemon.away = true;
    world.run_for(30s);
    world.daemon.crash("filter", 1);
    world.daemon.away = false;
    world.run_for(1s);
    CHECK(world.daemon.running("filter"));
}

TEST_CASE("what fails is tried again, ever more slowly and without end") {
    Deployed world({}, {.quiet_poll = 1min});
    world.daemon.refused.insert("prepare sensor");
    world.deploy(manifest_of({{"filter", json::object()}, {"sensor", json::object()}}));
    world.run_for(1h);
    const auto tries = world.daemon.count("prepare sensor");
    CHECK(tries > 60 / 5);
    CHECK(tries < 60 / 5 + 8);
    world.daemon.refused.clear();
    world.run_for(5min);
    CHECK(world.daemon.running("sensor"));
}

TEST_CASE("what failed but came right by itself is no failure any longer") {
    Deployed world;
    world.daemon.refused.insert("update filter");
    const auto changed = manifest_of({{"filter", json::object{{"settings", json::object{{"image", "filter:2"}}}}}});
    world.deploy(changed);
    world.run_for(30s);
    REQUIRE(world.hub.code() == 500);
    // The daemon took longer than we waited.
    const auto deployment = make_deployment(changed, 2, world.facts).value();
    world.daemon.modules.at("filter").create_options =
        make_spec(*deployment->find("filter"), deployment->manifest, world.facts, "g").create_options;
    world.run_for(5s);
    CHECK(world.hub.code() == 200);
}

TEST_CASE("only what changed is updated") {
    Deployed world;
    world.deploy(manifest_of({{"filter", json::object{{"settings", json::object{{"image", "filter:2"}}}}}}));
    world.run_for(5s);
    CHECK(world.daemon.take_calls() == std::vector<std::string>{"prepare filter", "update filter", "start filter"});
}

TEST_CASE("a removed module goes, and its identity with it, when the hub can be reached") {
    Deployed world;
    world.daemon.hub_away = true;
    world.deploy(manifest_of({}));
    world.run_for(1min);
    CHECK_FALSE(world.daemon.modules.contains("filter"));
    CHECK(world.daemon.ids.contains("filter"));
    world.kill();
    world.daemon.hub_away = false;
    world.boot();
    world.run_for(5s);
    CHECK_FALSE(world.daemon.ids.contains("filter"));
    CHECK(world.hub.at("modules.filter").empty());
    CHECK(world.hub.code() == 200);
}

TEST_CASE("an identity that somebody else made stays") {
    Deployed world;
    world.daemon.ids.at("filter").managed_by = "me";
    world.deploy(manifest_of({}));
    world.run_for(5s);
    CHECK(world.daemon.ids.contains("filter"));
    CHECK(world.hub.code() == 200);
}

TEST_CASE("a patch that was missed is noticed by the next one") {
    Deployed world;
    world.change_quietly(manifest_of({{"sensor", json::object()}}));
    world.run_for(5s);
    CHECK(world.daemon.calls.empty());
    const auto reads = world.hub.reads;
    world.deploy(manifest_of({{"sensor", json::object()}, {"third", json::object()}}));
    world.run_for(5s);
    CHECK(world.hub.reads == reads + 1);
    CHECK(world.daemon.running("sensor"));
    CHECK(world.daemon.running("third"));
    CHECK(world.hub.at("lastDesiredVersion") == "3");
}

TEST_CASE("a deployment that replaces the twin removes what it does not name, though the patch does not say so") {
    auto old = manifest_of({{"filter", json::object()}, {"sensor", json::object()}});
    auto& settings = old.at("modules").at("sensor").at("settings").as_object();
    settings["createOptions"] = R"({"Hostname":)";
    settings["createOptions01"] = R"("a"})";
    Deployed world;
    world.deploy(std::move(old));
    world.run_for(5s);
    REQUIRE(world.daemon.running("sensor"));
    world.daemon.calls.clear();
    world.replace(manifest_of({{"sensor", json::object{{"settings", {{"createOptions", "{}"}}}}}}));
    world.run_for(5s);
    CHECK_FALSE(world.daemon.modules.contains("filter"));
    CHECK(world.daemon.running("sensor"));
    CHECK(world.hub.code() == 200);
    CHECK(world.daemon.count("update sensor") == 1);
    CHECK(world.hub.at("lastDesiredVersion") == "3");
}

TEST_CASE("a deployment without the hub removes it, but not its identity: that belongs to the device") {
    Deployed world;
    auto without = manifest_of({{"filter", json::object()}});
    without.at("systemModules").as_object().erase("edgeHub");
    world.replace(without);
    world.run_for(1min);
    CHECK_FALSE(world.daemon.modules.contains("edgeHub"));
    CHECK(world.daemon.running("filter"));
    CHECK(world.daemon.count("delete identity $edgeHub") == 0);
    CHECK(world.hub.code() == 200);
    world.replace(manifest_of({{"filter", json::object()}}));
    world.run_for(5s);
    CHECK(world.daemon.running("edgeHub"));
    CHECK(world.hub.code() == 200);
}

TEST_CASE("a patch counts as it is when the twin can't be read") {
    Deployed world;
    world.hub.unreadable = true;
    world.deploy(manifest_of({{"filter", json::object()}, {"sensor", json::object()}}));
    world.run_for(5s);
    CHECK(world.daemon.running("sensor"));
    CHECK(world.hub.at("lastDesiredVersion") == "2");
}

TEST_CASE("the whole twin is read again after a reconnect and once in a while") {
    Deployed world({}, {.refresh = 5min});
    world.go_offline();
    world.change_quietly(manifest_of({{"filter", json::object()}, {"sensor", json::object()}}));
    world.run_for(1min);
    world.go_online();
    world.run_for(5s);
    CHECK(world.daemon.running("sensor"));
    world.change_quietly(manifest_of({{"filter", json::object()}}));
    world.run_for(6min);
    CHECK_FALSE(world.daemon.modules.contains("sensor"));
}

TEST_CASE("the agent updates itself once, and the new one goes on") {
    Deployed world;
    auto manifest = manifest_of({{"filter", json::object()}, {"sensor", json::object()}});
    manifest["systemModules"].as_object()["edgeAgent"].as_object()["settings"].as_object()["image"] = "agent:2";
    world.deploy(std::move(manifest));
    world.run_for(2s);
    CHECK(world.daemon.take_calls() == std::vector<std::string>{"prepare edgeAgent", "create identity sensor",
                                                                "prepare sensor", "prepare edgeAgent",
                                                                "update and start edgeAgent"});
    CHECK(world.daemon.specs.at("edgeAgent").env.at("IOTEDGE_MANAGEMENTURI") == "unix:///mgmt");
    world.kill();
    world.boot();
    world.run_for(5s);
    CHECK(world.daemon.count("prepare edgeAgent") == 0);
    CHECK(world.daemon.running("sensor"));
    CHECK(world.hub.code() == 200);
}

TEST_CASE("an agent image that never comes up is not tried every few seconds") {
    Deployed world;
    auto manifest = manifest_of({{"filter", json::object()}});
    manifest["systemModules"].as_object()["edgeAgent"].as_object()["settings"].as_object()["image"] = "agent:broken";
    world.deploy(std::move(manifest));
    for (int round = 0; round < 30; ++round) {  // the daemon falls back to the agent it knows, again and again
        world.run_for(10s);
        world.kill();
        world.daemon.modules.erase("edgeAgent");
        world.daemon.add_agent("agent:1");
        world.boot();
    }
    CHECK(world.daemon.count("update and start edgeAgent") >= 3);
    CHECK(world.daemon.count("update and start edgeAgent") <= 6);
    CHECK(world.daemon.running("filter"));
}

TEST_CASE("status stopped stops a module and running starts it again, under never too") {
    Deployed world(json::object{{"restartPolicy", "never"}});
    world.deploy(manifest_of({{"filter", json::object{{"restartPolicy", "never"}, {"status", "stopped"}}}}));
    world.run_for(5s);
    CHECK(world.daemon.take_calls() == std::vector<std::string>{"stop filter"});
    world.deploy(manifest_of({{"filter", json::object{{"restartPolicy", "never"}}}}));
    world.run_for(5s);
    CHECK(world.daemon.take_calls() == std::vector<std::string>{"start filter"});
}

TEST_CASE("a report that is too large is made smaller") {
    World world;
    world.hub.online = true;
    world.hub.largest_report = 2500;
    world.deploy(manifest_of(
        {{"filter", json::object{{"env", json::object{{"BIG", json::object{{"value", std::string(2000, 'x')}}}}}}}}));
    world.boot();
    world.run_for(10s);
    CHECK(world.hub.code() == 200);
    CHECK(world.hub.at("modules.filter.runtimeStatus") == "running");
    CHECK(world.hub.at("modules.filter.env").empty());
}

TEST_CASE("the agent's last word is that it does not run; its modules go on") {
    Deployed world;
    world.stop();
    CHECK(world.hub.code() == 406);
    CHECK(world.hub.description() == "Agent is not running");
    CHECK(world.hub.at("modules.filter.runtimeStatus") == "unknown");
    CHECK(world.daemon.calls.empty());
    CHECK(world.daemon.running("filter"));
}
