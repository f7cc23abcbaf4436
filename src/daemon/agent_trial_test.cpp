#include "daemon/agent_trial.hpp"

#include "daemon/identities.hpp"
#include "model/twin.hpp"
#include "sim/world.hpp"

#include <doctest/doctest.h>

#include <boost/json/value.hpp>

using namespace skerry;
using namespace skerry::daemon;
using namespace std::chrono_literals;
using Kind = AgentTrial::Verdict::Kind;

namespace {

model::ModuleSpec agent(const std::string& image) {
    model::ModuleSpec spec;
    spec.name = "edgeAgent";
    spec.image = image;
    spec.env["A"] = "b";
    spec.auth = {{"password", "secret"}};
    spec.create_options = {{"Labels", boost::json::object{{std::string(spec_label), "made of " + image}}}};
    return spec;
}

struct Desk {
    sim::World world;
    std::unique_ptr<storage::Database> database = storage::Database::open(":memory:", daemon_migrations()).value();
    std::optional<AgentTrial> trial;

    Desk() {
        boot();
        trial->made(agent("agent:1"));
    }
    void boot() { trial.emplace(*database, world.clock(), world.executor(), AgentTrial::Limits{}); }
    void update() {
        trial->replaced(agent("agent:2"));
        trial->begun();
    }
    std::string image_to_come_back() { return trial->previous("why", "log").value_or(model::ModuleSpec{}).image; }
};

}  // namespace

TEST_CASE("an agent that asks for its modules and runs on for a minute has proved itself") {
    Desk desk;
    CHECK(desk.trial->judge().kind == Kind::none);
    desk.update();
    CHECK(desk.trial->judge().kind == Kind::pending);
    desk.trial->asked();  // by the old one, before the new one runs
    desk.trial->runs();
    desk.world.run_for(4min);
    desk.trial->asked();
    CHECK(desk.trial->judge().again == 60s);
    desk.world.run_for(59s);
    CHECK(desk.trial->judge().kind == Kind::pending);
    desk.world.run_for(1s);
    CHECK(desk.trial->judge().kind == Kind::proved);
    CHECK_FALSE(desk.trial->on_trial());
    CHECK(desk.image_to_come_back().empty());
}

TEST_CASE("an agent that ends again and again fails, also when it had asked each time") {
    Desk desk;
    desk.trial->replaced(agent("agent:2"));
    desk.trial->runs();
    desk.trial->ended();  // the old one, on its way out
    desk.trial->begun();
    for (int n = 0; n < 4; ++n) {
        CHECK(desk.trial->judge().kind != Kind::failed);
        desk.trial->runs();
        desk.trial->asked();
        desk.world.run_for(50s);
        desk.trial->ended();
        desk.trial->ended();  // seen twice
    }
    const auto verdict = desk.trial->judge();
    CHECK(verdict.kind == Kind::failed);
    CHECK(verdict.reason == "it ended 4 times before it had proved itself");
}

TEST_CASE("an agent that never asks, can't be started or can't be made fails") {
    {
        Desk desk;
        desk.update();
        desk.trial->runs();
        desk.world.run_for(5min);
        CHECK(desk.trial->judge().reason == "it asked for no modules within 300 s");
    }
    {
        Desk desk;
        desk.update();
        for (int n = 0; n < 4; ++n) desk.trial->could_not_start();
        CHECK(desk.trial->judge().kind == Kind::failed);
    }
    Desk desk;
    desk.trial->replaced(agent("agent:2"));
    desk.trial->give_up("no disk");
    CHECK(desk.trial->news().is_set());
    CHECK(desk.trial->judge().reason == "no disk");
}

TEST_CASE("what comes back is the last one that was good, with a label that says why") {
    Desk desk;
    desk.update();
    desk.trial->replaced(agent("agent:3"));  // the second one had not proved itself
    const auto back = desk.trial->previous("it crashed", std::string(2000, 'x') + "end");
    REQUIRE(back);
    CHECK(back->image == "agent:1");
    CHECK(back->env.at("A") == "b");
    CHECK(back->auth.empty());
    CHECK(back->pull_policy == model::PullPolicy::never);
    const auto& labels = back->create_options.at("Labels").as_object();
    CHECK(labels.at(spec_label) == "made of agent:1");
    const auto label = model::parse_object(labels.at(brought_back_label).as_string());
    REQUIRE(label);
    CHECK(label->at("spec") == "made of agent:3");
    CHECK(label->at("reason") == "it crashed");
    CHECK(label->at("log").as_string().size() == 1000);
    CHECK(std::string_view(label->at("log").as_string()).ends_with("xend"));
    desk.trial->made(*back);
    CHECK(desk.trial->judge().kind == Kind::none);
}

TEST_CASE("what comes back has the image that it had, also after the daemon has been killed") {
    Desk desk;
    desk.trial->made(agent("agent:1"));
    desk.trial->replaced(agent("agent:2"), "sha256:1");
    desk.boot();
    desk.trial->replaced(agent("agent:3"), "sha256:2");  // the second one had not proved itself
    const auto back = desk.trial->previous("it crashed", "").value();
    CHECK(back.image == "agent:1");
    CHECK(back.create_options.at("Labels").as_object().at(image_label) == "sha256:1");
}

TEST_CASE("a trial goes on after the daemon has been killed") {
    Desk desk;
    desk.update();
    for (int n = 0; n < 3; ++n) {
        desk.trial->runs();
        desk.trial->ended();
    }
    desk.boot();
    CHECK(desk.trial->judge().kind == Kind::pending);
    CHECK(desk.image_to_come_back() == "agent:1");
    desk.trial->runs();
    desk.trial->ended();
    CHECK(desk.trial->judge().kind == Kind::failed);
    desk.boot();
    CHECK(desk.trial->judge().kind == Kind::failed);
}

TEST_CASE("an update that could not begin leaves nothing behind; without a former one nobody comes back") {
    Desk desk;
    desk.trial->replaced(agent("agent:2"));
    desk.trial->undone();
    CHECK_FALSE(desk.trial->on_trial());
    desk.update();
    CHECK(desk.image_to_come_back() == "agent:1");

    Desk fresh;
    fresh.database = storage::Database::open(":memory:", daemon_migrations()).value();
    fresh.boot();
    fresh.update();
    CHECK_FALSE(fresh.trial->previous("", ""));
}
