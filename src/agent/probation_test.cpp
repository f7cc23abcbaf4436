#include "agent/probation.hpp"

#include "agent/tables_test.hpp"

#include <doctest/doctest.h>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <set>

using namespace skerry;
using namespace skerry::agent;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

const json::value* member(const json::object& object, std::string_view name) { return object.if_contains(name); }

std::string text_of(const json::object& object, std::string_view name) {
    const auto* value = member(object, name);
    return value == nullptr || !value->is_string() ? std::string() : std::string(value->as_string());
}

ProbationPolicy policy_of(const json::object& test) {
    ProbationPolicy policy;
    const auto* given = member(test, "policy");
    if (given == nullptr) return policy;
    if (const auto* seconds = member(given->as_object(), "probationSeconds"))
        policy.window = std::chrono::seconds(seconds->to_number<int>());
    if (const auto* most = member(given->as_object(), "failuresAllowed"))
        policy.failures_allowed = most->to_number<int>();
    return policy;
}

model::RestartPolicy restart_policy(std::string_view text) {
    for (const auto policy :
         {model::RestartPolicy::never, model::RestartPolicy::on_failure, model::RestartPolicy::on_unhealthy})
        if (model::name_of(policy) == text) return policy;
    return model::RestartPolicy::always;
}

class Case {
public:
    explicit Case(const json::object& test) : test_(test), probation_(made()) {
        if (const auto* when = member(test, "carriedOut"); when != nullptr && when->is_string())
            carried_out_ = parse_duration(when->as_string());
    }

    void run() {
        const auto wanted = text_of(test_, "verdict");
        for (Duration at{}; at <= 1h; at += 1s) {
            for (const auto& event : test_.at("events").as_array())
                if (parse_duration(event.as_object().at("at").as_string()) == at) happen(event.as_object(), at);
            for (const auto& [name, status] : modules_) probation_.saw(status);
            const auto verdict = probation_.judge(carried_out_ && at >= *carried_out_, start + at);
            if (verdict.kind == Probation::Verdict::Kind::pending) continue;
            const bool failed = verdict.kind == Probation::Verdict::Kind::failed;
            CHECK(wanted == (failed ? "failed" : "passed"));
            CHECK(at == parse_duration(text_of(test_, "at")));
            if (failed) check_reason(verdict);
            return;
        }
        CHECK(wanted == "pending");
    }

private:
    Probation made() const {
        Probation probation(policy_of(test_));
        std::set<std::string> before;
        if (const auto* names = member(test_, "there_before"))
            for (const auto& name : names->as_array()) before.emplace(name.as_string());
        for (const auto& [name, policy] : test_.at("watched").as_object())
            probation.watch(name, restart_policy(policy.as_string()), before.contains(name));
        return probation;
    }

    void happen(const json::object& event, Duration at) {
        if (member(event, "agentRestarts") != nullptr) {
            const auto counts = probation_.to_json();
            probation_ = made();
            probation_.resume(counts);
            return;
        }
        const auto name = text_of(event, "module");
        auto& status = modules_[name];
        status.name = name;
        if (const auto* code = member(event, "exits")) {
            status.exit_code = code->to_number<int>();
            status.state = *status.exit_code == 0 ? model::RuntimeState::stopped : model::RuntimeState::failed;
            status.exited = WallTime{} + std::chrono::duration_cast<WallTime::duration>(at);
        } else if (member(event, "starts") != nullptr) {
            status.state = model::RuntimeState::running;
            status.health = model::Health::none;
            probation_.started(name);
        } else if (member(event, "health") != nullptr) {
            status.state = model::RuntimeState::running;
            status.health = model::parse_health(text_of(event, "health"));
        } else {
            probation_.could_not(name, text_of(event, "couldNot"));
            modules_.erase(name);
        }
    }

    void check_reason(const Probation::Verdict& verdict) {
        CHECK(verdict.module == text_of(test_, "module"));
        if (const auto* words = member(test_, "says"))
            for (const auto& word : words->as_array())
                CHECK_MESSAGE(verdict.reason.find(std::string_view(word.as_string())) != std::string::npos,
                              verdict.reason);
    }

    static constexpr SteadyTime start{1000h};
    const json::object& test_;
    Probation probation_;
    std::map<std::string, model::ModuleStatus> modules_;
    std::optional<Duration> carried_out_;
};

}  // namespace

TEST_CASE("deployments pass or fail as in the tables of tests/data/probation") {
    std::size_t cases = 0;
    for (const auto& file : table_files("probation")) {
        const auto table = read_json(file);
        for (const auto& test : table.as_array()) {
            INFO(std::string(test.as_object().at("name").as_string()));
            Case(test.as_object()).run();
            ++cases;
        }
    }
    CHECK(cases >= 20);
}

TEST_CASE("what the deployment says of its probation wins over the agent's settings") {
    const ProbationPolicy defaults{.rollback = true, .window = 10s, .failures_allowed = 7};
    const auto same = defaults.with({});
    CHECK(same.rollback);
    CHECK(same.window == 10s);
    CHECK(same.failures_allowed == 7);
    const auto other = defaults.with({.rollback = false, .probation_seconds = 0, .failures_allowed = 0});
    CHECK_FALSE(other.rollback);
    CHECK(other.window == 0s);
    CHECK(other.failures_allowed == 0);
}

TEST_CASE("counts that make no sense are none") {
    Probation probation({.failures_allowed = 0});
    probation.watch("m", model::RestartPolicy::always, false);
    probation.resume({{"m", json::object{{"failures", "many"}, {"last", 3}}}});
    CHECK(probation.judge(true, SteadyTime{1h}).kind == Probation::Verdict::Kind::pending);
    probation.resume({{"m", 7}, {"other", json::object()}});
    CHECK(probation.judge(true, SteadyTime{1h}).kind == Probation::Verdict::Kind::pending);
}
