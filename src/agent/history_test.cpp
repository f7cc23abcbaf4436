#include "agent/history.hpp"

#include <doctest/doctest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

using namespace skerry;
using namespace skerry::agent;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

struct Time {
    SteadyTime steady{1000h};
    WallTime wall{std::chrono::sys_days(std::chrono::year(2030) / 1 / 1)};
    Now operator()() const { return {.steady = steady, .wall = wall}; }
    void pass(Duration duration) {
        steady += duration;
        wall += duration;
    }
};

model::ModuleStatus running(const Time& time) {
    model::ModuleStatus status;
    status.name = "m";
    status.state = model::RuntimeState::running;
    status.started = time.wall;
    return status;
}

model::ModuleStatus ended(model::ModuleStatus status, int exit_code, const Time& time) {
    status.state = exit_code == 0 ? model::RuntimeState::stopped : model::RuntimeState::failed;
    status.exit_code = exit_code;
    status.exited = time.wall;
    return status;
}

}  // namespace

TEST_CASE("a module that was down when the agent came counts from its exit, or from long ago") {
    Time time;
    History history;
    auto status = ended(running(time), 1, time);
    time.pass(7s);
    CHECK(history.observe(status, time()).down_for == 7s);
    status.exited.reset();
    CHECK(History().observe(status, time()).down_for > 1h);
}

TEST_CASE("time goes on by the steady clock when the wall clock jumps back") {
    Time time;
    History history;
    CHECK(history.observe(running(time), time()).state == model::RuntimeState::running);
    const auto status = ended(running(time), 1, time);
    static_cast<void>(history.observe(status, time()));
    time.pass(12s);
    time.wall -= 1h;
    CHECK(history.observe(status, time()).down_for == 12s);
}

TEST_CASE("another end of the same module counts anew") {
    Time time;
    History history;
    static_cast<void>(history.observe(running(time), time()));
    static_cast<void>(history.observe(ended(running(time), 1, time), time()));
    time.pass(1min);
    const auto again = ended(running(time), 1, time);
    CHECK(history.observe(again, time()).down_for == 0s);
}

TEST_CASE("exit code 0 before our eyes is a completion, until the module is started again") {
    Time time;
    History history;
    static_cast<void>(history.observe(running(time), time()));
    time.pass(5s);
    const auto status = ended(running(time), 0, time);
    CHECK(history.observe(status, time()).completed);
    auto later = History::from_json(history.to_json());
    CHECK(later.observe(status, time()).completed);
    later.succeeded(Start{"m"}, time());
    CHECK_FALSE(later.observe(status, time()).completed);
}

TEST_CASE("exit code 0 that nobody watched, or that we brought about, is no completion") {
    Time time;
    History unwatched;
    CHECK_FALSE(unwatched.observe(ended(running(time), 0, time), time()).completed);

    History stopped;
    static_cast<void>(stopped.observe(running(time), time()));
    stopped.succeeded(Stop{"m"}, time());
    const auto health = stopped.observe(ended(running(time), 0, time), time());
    CHECK_FALSE(health.completed);
    CHECK(health.held);
}

TEST_CASE("an end that no agent saw is told from one that the agent before us saw") {
    Time time;
    History before;
    static_cast<void>(before.observe(running(time), time()));
    time.pass(5s);
    const auto crashed = ended(running(time), 1, time);
    CHECK_FALSE(before.observe(crashed, time()).unwatched);
    auto after = History::from_json(before.to_json());
    CHECK_FALSE_MESSAGE(after.observe(crashed, time()).unwatched, "its back-off goes on");

    const auto up_again = running(time);
    time.pass(5s);
    const auto cut_off = ended(up_again, 255, time);
    auto rebooted = History::from_json(before.to_json());
    CHECK(rebooted.observe(cut_off, time()).unwatched);
    CHECK_MESSAGE(rebooted.observe(cut_off, time()).unwatched, "until it is started");
    rebooted.succeeded(Start{"m"}, time());
    CHECK_FALSE(rebooted.observe(cut_off, time()).unwatched);
    CHECK(rebooted.record("m").restarts == 0);
}

TEST_CASE("a new module has no past") {
    Time time;
    History history;
    history.restart_tried("m", time());
    history.succeeded(Update{"m"}, time());
    CHECK(history.record("m") == ModuleRecord());
    model::ModuleStatus created;
    created.name = "m";
    created.state = model::RuntimeState::stopped;
    CHECK_FALSE(history.observe(created, time()).ever_started);
    history.succeeded(Start{"m"}, time());
    CHECK(history.observe(created, time()).ever_started);
}

TEST_CASE("what was removed keeps its identity on the list until that is gone or the module is back") {
    Time time;
    History history;
    history.succeeded(Remove{"m"}, time());
    history.succeeded(Remove{"n"}, time());
    CHECK(History::from_json(history.to_json()).leaving() == std::set<std::string>{"m", "n"});
    history.succeeded(Create{"m"}, time());
    history.succeeded(DeleteIdentity{"n"}, time());
    CHECK(history.leaving().empty());
}

TEST_CASE("an update of the agent is held back after a try, by its fingerprint") {
    Time time;
    History history;
    CHECK(history.agent_holdback("A", {}, time()) == 0s);
    history.agent_update_tried("A", time());
    CHECK(history.agent_holdback("A", {}, time()) == 1min);
    CHECK(history.agent_holdback("B", {}, time()) == 0s);
    const auto later = History::from_json(history.to_json());
    time.pass(20s);
    CHECK(later.agent_holdback("A", {}, time()) == 40s);
    time.wall -= 24h;
    CHECK(later.agent_holdback("A", {}, time()) == 1min);
}

TEST_CASE("a change is told once") {
    Time time;
    History history;
    CHECK_FALSE(history.take_changed());
    history.restart_tried("m", time());
    CHECK(history.take_changed());
    CHECK_FALSE(history.take_changed());
    history.prune([](const std::string&) { return false; });
    CHECK(history.take_changed());
    CHECK(history.record("m").restarts == 0);
}

TEST_CASE("a stored history that makes no sense is an empty one") {
    for (const auto* text : {R"({"modules":7,"leaving":{},"agentUpdate":[]})", R"({"modules":{"m":[]},"leaving":[7]})",
                             R"({"modules":{"m":{"restarts":"x","held":3}},"agentUpdate":{"fingerprint":3}})"})
        CHECK(json::serialize(History::from_json(json::parse(text).as_object()).to_json()).find("true") ==
              std::string::npos);
    const auto huge = History::from_json(json::parse(R"({"modules":{"m":{"restarts":9999999999}}})").as_object());
    CHECK(huge.record("m").restarts == 1'000'000);
}
