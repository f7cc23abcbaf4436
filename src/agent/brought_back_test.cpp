// An agent that the daemon brought back, because the one after it did not prove itself.
#include "agent/world_test.hpp"

#include <doctest/doctest.h>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

using namespace skerry;
using namespace skerry::agent;
using namespace skerry::agent::testing;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

json::object manifest_with(const std::string& agent) {
    auto manifest = manifest_of({{"filter", json::object()}});
    manifest["systemModules"].as_object()["edgeAgent"].as_object()["settings"].as_object()["image"] = agent;
    return manifest;
}

// The deployment asks for another agent; the daemon replaces us by it, and it by us.
struct BroughtBackWorld : World {
    explicit BroughtBackWorld(bool rollback) {
        settings.probation.rollback = rollback;
        hub.online = true;
        deploy(manifest_with("agent:1"));
        boot();
        run_for(2min);
        REQUIRE(hub.code() == 200);
        deploy(manifest_with("agent:2"));
        run_for(5s);
        REQUIRE(daemon.count("update and start edgeAgent") == 1);
        const auto fingerprint = read_label();
        kill();
        run_for(1min);
        daemon.add_agent("agent:1");
        const json::object label{
            {"spec", fingerprint}, {"reason", "it ended 4 times before it had proved itself"}, {"log", "no\nluck\n"}};
        daemon.modules.at("edgeAgent").create_options.at("Labels").as_object()[std::string(brought_back_label)] =
            json::serialize(label);
        boot();
    }

    [[nodiscard]] std::string read_label() const {
        const auto& labels = daemon.modules.at("edgeAgent").create_options.at("Labels").as_object();
        return std::string(labels.at(spec_label).as_string());
    }
};

}  // namespace

TEST_CASE("the agent that was brought back rolls the deployment back, says why, and does not try it again") {
    BroughtBackWorld world(true);
    world.run_for(10s);
    CHECK(world.hub.code() == 500);
    CHECK(world.hub.at("lastDesiredVersion") == "2");
    CHECK(world.hub.at("rollback.module") == "edgeAgent");
    CHECK(world.hub.at("rollback.failedVersion") == "2");
    CHECK(world.hub.at("rollback.restoredVersion") == "1");
    CHECK(world.hub.at("rollback.reason") == "the new agent failed: it ended 4 times before it had proved itself");
    CHECK(world.hub.at("rollback.log") == "no\nluck");
    world.run_for(2h);
    CHECK(world.daemon.count("update and start edgeAgent") == 1);
    CHECK(world.daemon.count("stop filter") == 0);
    // Something else may be tried, though the label is still there.
    world.deploy(manifest_with("agent:3"));
    world.run_for(5s);
    CHECK(world.daemon.count("update and start edgeAgent") == 2);
}

TEST_CASE("with rollback off the twin says the same, and that agent is not tried again") {
    BroughtBackWorld world(false);
    world.run_for(10s);
    CHECK(world.hub.code() == 500);
    CHECK(world.hub.description().contains("the new agent failed: it ended 4 times"));
    CHECK(world.hub.description().contains("no\nluck"));
    CHECK(world.hub.at("rollback").empty());
    world.run_for(2h);
    CHECK(world.daemon.count("update and start edgeAgent") == 1);
    world.daemon.crash("filter", 1);
    world.run_for(10s);
    CHECK(world.daemon.running("filter"));
}

TEST_CASE("a label of another failure, or one that makes no sense, means nothing") {
    model::ModuleStatus agent;
    agent.name = "edgeAgent";
    CHECK_FALSE(read_brought_back(agent));
    for (const auto* text : {"", "{", "[]", "{}", R"({"spec":5})", R"({"reason":"x"})"}) {
        agent.create_options = {{"Labels", json::object{{std::string(brought_back_label), text}}}};
        CHECK_FALSE(read_brought_back(agent));
    }
}
