#include "agent/plan.hpp"

#include "agent/tables_test.hpp"

#include <doctest/doctest.h>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>

using namespace skerry;
using namespace skerry::agent;
namespace json = boost::json;

namespace {

std::string text_or(const json::object& object, std::string_view name, std::string_view fallback) {
    const auto* value = object.if_contains(name);
    return std::string(value == nullptr ? fallback : std::string_view(value->as_string()));
}

bool flag(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->as_bool();
}

model::RestartPolicy policy_of(std::string_view text) {
    for (const auto policy : {model::RestartPolicy::never, model::RestartPolicy::on_failure,
                              model::RestartPolicy::on_unhealthy, model::RestartPolicy::always})
        if (model::name_of(policy) == text) return policy;
    throw std::invalid_argument("no restart policy: " + std::string(text));
}

DesiredModule desired_of(std::string_view name, const json::object& text) {
    DesiredModule module;
    module.name = name;
    module.running = text_or(text, "status", "running") == "running";
    module.policy = policy_of(text_or(text, "restartPolicy", "on-unhealthy"));
    if (const auto* order = text.if_contains("startupOrder")) module.order = order->to_number<std::uint32_t>();
    module.fingerprint = text_or(text, "spec", "A");
    return module;
}

ObservedModule observed_of(const json::object& text) {
    ObservedModule module;
    module.fingerprint = text_or(text, "spec", "A");
    module.health.state = model::parse_runtime_state(text.at("state").as_string());
    module.health.ever_started = !flag(text, "neverStarted");
    module.health.completed = flag(text, "completed");
    module.health.held = flag(text, "held");
    module.health.unwatched = flag(text, "unwatched");
    if (const auto* restarts = text.if_contains("restarts")) module.health.restarts = restarts->to_number<int>();
    module.health.down_for = parse_duration(text_or(text, "downFor", "0s"));
    module.health.up_for = parse_duration(text_or(text, "upFor", "0s"));
    module.health.engine = model::parse_health(text_or(text, "health", "none"));
    module.health.unhealthy_for = parse_duration(text_or(text, "unhealthyFor", "0s"));
    return module;
}

std::set<std::string> names_in(const json::object& test, std::string_view member) {
    std::set<std::string> names;
    if (const auto* list = test.if_contains(member))
        for (const auto& name : list->as_array()) names.emplace(name.as_string());
    return names;
}

RestartSettings settings_of(const json::object& test) {
    RestartSettings settings;
    const auto* member = test.if_contains("settings");
    if (member == nullptr) return settings;
    const auto& text = member->as_object();
    if (const auto* most = text.if_contains("maxRestarts")) settings.max_restarts = most->to_number<int>();
    settings.gives_up = flag(text, "givesUp");
    settings.unit = parse_duration(text_or(text, "unit", "10s"));
    settings.healthy_after = parse_duration(text_or(text, "healthyAfter", "10m"));
    return settings;
}

PlanInput input_of(const json::object& test) {
    PlanInput input;
    for (const auto& [name, module] : test.at("desired").as_object())
        input.desired.push_back(desired_of(name, module.as_object()));
    for (const auto& [name, module] : test.at("observed").as_object())
        input.observed.emplace(name, observed_of(module.as_object()));
    if (const auto* held = test.if_contains("held"))
        for (const auto& [name, waits] : held->as_object())
            input.held[name] = {.deploying = parse_duration(text_or(waits.as_object(), "deploying", "0s")),
                                .running = parse_duration(text_or(waits.as_object(), "running", "0s"))};
    input.busy = names_in(test, "busy");
    input.leaving = names_in(test, "leaving");
    input.restart = settings_of(test);
    input.whole = flag(test, "whole");
    input.prepared = names_in(test, "prepared");
    return input;
}

constexpr std::array known_members{"name",     "desired", "observed", "held",  "busy",     "leaving", "settings",
                                   "commands", "status",  "again",    "whole", "prepared", "pending"};

void run_case(const json::object& test) {
    for (const auto& member : test)
        CHECK_MESSAGE(std::ranges::find(known_members, member.key()) != known_members.end(), "a typo? ", member.key());
    const auto made = plan(input_of(test));

    std::vector<std::string> commands;
    for (const auto& command : made.commands) commands.push_back(describe(command));
    std::vector<std::string> expected;
    for (const auto& command : test.at("commands").as_array()) expected.emplace_back(command.as_string());
    CHECK(commands == expected);

    if (const auto* status = test.if_contains("status"))
        for (const auto& [name, text] : status->as_object())
            CHECK_MESSAGE(made.status.at(name) == std::string_view(text.as_string()), name);
    if (const auto* pending = test.if_contains("pending")) CHECK(made.pending == pending->as_bool());
    if (const auto* again = test.if_contains("again")) {
        std::optional<Duration> when;
        if (!again->is_null()) when = parse_duration(again->as_string());
        CHECK(made.again == when);
    }
}

}  // namespace

TEST_CASE("plans are those of the tables in tests/data/plans") {
    std::size_t cases = 0;
    for (const auto& file : table_files("plans")) {
        const auto table = read_json(file);
        for (const auto& test : table.as_array()) {
            const auto& object = test.as_object();
            INFO(file.filename().string(), ": ", std::string(object.at("name").as_string()));
            run_case(object);
            ++cases;
        }
    }
    CHECK(cases >= 50);
}

TEST_CASE("a plan that was carried out leads to an empty plan") {
    for (const auto& file : table_files("plans")) {
        const auto table = read_json(file);
        for (const auto& test : table.as_array()) {
            auto input = input_of(test.as_object());
            input.held.clear();
            input.busy.clear();
            input.leaving.clear();
            input.observed.clear();
            for (const auto& module : input.desired)
                input.observed[module.name] = {
                    .fingerprint = module.fingerprint,
                    .health = {.state = module.running ? model::RuntimeState::running : model::RuntimeState::stopped,
                               .ever_started = true,
                               .held = !module.running}};
            CHECK(plan(input).commands.empty());
        }
    }
}

TEST_CASE("the first restart is quick whatever the unit") {
    RestartSettings settings;
    CHECK(restart_delay(0, settings) == std::chrono::seconds(1));
    CHECK(restart_delay(1, settings) == std::chrono::seconds(10));
    CHECK(restart_delay(1000000, settings) == std::chrono::seconds(300));
    settings.unit = std::chrono::milliseconds(50);
    CHECK(restart_delay(0, settings) == std::chrono::milliseconds(50));
}
