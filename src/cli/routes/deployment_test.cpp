// Routes of whole deployments: tried with a message, and looked over.
#include "cli/routes/lint.hpp"
#include "cli/routes/message.hpp"
#include "cli/routes/trial.hpp"
#include "model/twin.hpp"

#include <doctest/doctest.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <string_view>

using namespace skerry;
using namespace skerry::cli;
namespace json = boost::json;

namespace {
// `routes` as JSON; the deployment has the modules sensor and filter.
json::object manifest(std::string_view routes) {
    return model::parse_object(fmt::format(
                                   R"({{"modulesContent":{{
            "$edgeAgent":{{"properties.desired":{{"modules":{{"sensor":{{}},"filter":{{}},"gone":null}}}}}},
            "$edgeHub":{{"properties.desired":{{"schemaVersion":"1.1","routes":{},
                "storeAndForwardConfiguration":{{"timeToLiveSecs":60}}}}}}}}}})",
                                   routes))
        .value();
}
DeploymentRoutes deployment(std::string_view routes) {
    auto read = read_deployment(manifest(routes));
    REQUIRE_MESSAGE(read, read.error().text);
    return std::move(*read);
}
model::Message from(const char* module, const char* output, const char* temperature) {
    model::Message message;
    message.set_system_property("connectionModuleId", module);
    message.set_system_property("outputName", output);
    message.properties.emplace_back("t", temperature);
    return message;
}
std::string with_single_blanks(std::string_view text) {
    std::string out;
    for (const char c : text)
        if (c != ' ' || !out.ends_with(' ')) out += c;
    return out;
}
bool finds(const std::vector<Finding>& findings, std::string_view route, std::string_view text) {
    return std::ranges::any_of(findings, [&](const Finding& finding) {
        return finding.route == route && finding.text.find(text) != std::string::npos;
    });
}
}  // namespace

TEST_CASE("each route says whether it takes the message, with what settings, or why not") {
    const auto routes = deployment(R"j({
        "a": "FROM /messages/modules/sensor/* WHERE t > '20' INTO $upstream",
        "b": {"route": "FROM /messages/* INTO $upstream", "priority": 1, "timeToLiveSecs": 5},
        "c": "FROM /messages/modules/filter/* INTO $upstream",
        "d": "FROM /messages/* WHERE missing = 'x' INTO BrokeredEndpoint(\"/modules/filter/inputs/in\")"})j");
    const auto trials = try_routes(routes, from("sensor", "o", "21"));
    REQUIRE(trials.size() == 4);
    CHECK(trials[0].matches);
    CHECK_FALSE(trials[0].delivers);
    CHECK(trials[0].why_not == "route 'b' leads to the same endpoint: one copy");
    CHECK(trials[1].delivers);
    CHECK(trials[1].why_not.empty());
    CHECK_FALSE(trials[2].matches);
    CHECK(trials[2].why_not ==
          "the message comes from /messages/modules/sensor/outputs/o/, the route takes /messages/modules/filter/*");
    CHECK(trials[3].why_not == "the condition is undefined");

    const auto table = with_single_blanks(trial_table(trials, routes));
    CHECK(table.find("\na yes $upstream 2000000000 60 s route 'b' leads") != table.npos);
    CHECK(table.find("\nb yes $upstream 1 5 s\n") != table.npos);
    CHECK(table.find("modules/filter/inputs/in") != table.npos);
    const auto as_json = trial_json(trials, routes);
    CHECK(json::serialize(as_json[1]) ==
          R"({"route":"b","matches":true,"delivers":true,"endpoint":"$upstream","priority":1,"timeToLiveSecs":5})");
}

TEST_CASE("a layered deployment's single routes are read, and a wrapped one too") {
    auto document = manifest(R"({"a":"FROM /messages/* INTO $upstream"})");
    document["modulesContent"].at("$edgeHub").get_object()["properties.desired.routes.b"] =
        "FROM /messages/modules/x/* INTO $upstream";
    const auto wrapped = read_deployment(json::object{{"content", document}});
    REQUIRE(wrapped);
    REQUIRE(wrapped->routes.size() == 2);
    CHECK(wrapped->routes[1].config.name == "b");
    CHECK_FALSE(read_deployment(json::object{{"modulesContent", json::object{}}}));
    CHECK_FALSE(read_deployment(json::object{}));
}

TEST_CASE("lint is silent about what is right") {
    CHECK(lint(deployment(R"j({
        "a": "FROM /messages/modules/sensor/outputs/o INTO BrokeredEndpoint('/modules/filter/inputs/in')",
        "b": "FROM /messages/modules/filter/outputs/o WHERE t = 'a b' INTO $upstream",
        "c": "FROM /messages/modules/filter/outputs/o WHERE t = 'ab' INTO $upstream",
        "d": "FROM /* INTO $upstream", "e": "FROM /twinChangeNotifications/* INTO $upstream"})j"))
              .empty());
}

TEST_CASE("lint names what can't work") {
    const auto findings = lint(deployment(R"j({
        "syntax": "FROM /messages/* INTO nowhere",
        "sender": "FROM /messages/modules/sensr/* INTO $upstream",
        "receiver": "FROM /messages/modules/sensor/* INTO BrokeredEndpoint('/modules/gone/inputs/in')",
        "never": "FROM /messages/events INTO $upstream",
        "constant": "FROM /messages/* WHERE 1 = 2 INTO $upstream",
        "bare": "FROM /messages/* WHERE level INTO $upstream",
        "middle": "FROM /messages/modules/*/outputs/o INTO $upstream",
        "first": "FROM /messages/modules/sensor/* INTO $upstream",
        "second": "FROM  /messages/modules/Sensor/* where (true)  INTO $upstream",
        "other": "FROM /messages/modules/sensor/* WHERE $body.a = 'x' INTO $upstream",
        "another": "FROM /messages/modules/sensor/* WHERE $body.b = 'x' INTO $upstream",
        "again": "FROM /messages/modules/sensor/* WHERE ($body.b)=\"x\" INTO $upstream"})j"));
    CHECK(findings.size() == 9);
    CHECK(finds(findings, "syntax", "column"));
    CHECK(finds(findings, "sender", "no module 'sensr' to send"));
    CHECK(finds(findings, "receiver", "no module 'gone' to receive"));
    CHECK(finds(findings, "never", "no message comes from /messages/events/"));
    CHECK(finds(findings, "constant", "its condition is always false"));
    CHECK(finds(findings, "bare", "its condition is always undefined"));
    CHECK(finds(findings, "middle", "'*' stands for anything only at the end"));
    CHECK(finds(findings, "second", "the same as route 'first'"));
    CHECK(finds(findings, "another", "the same as route 'again'"));
}

TEST_CASE("lint sees messages go round, once for each circle") {
    const auto findings = lint(deployment(R"j({
        "there too": "FROM /messages/modules/sensor/outputs/p INTO BrokeredEndpoint('/modules/filter/inputs/in')",
        "there": "FROM /messages/modules/sensor/outputs/o INTO BrokeredEndpoint('/modules/filter/inputs/in')",
        "back": "FROM /messages/modules/Filter/* INTO BrokeredEndpoint('/modules/sensor/inputs/in')",
        "self": "FROM /messages/modules/sensor/outputs/x INTO BrokeredEndpoint('/modules/sensor/inputs/in')"})j"));
    CHECK(findings.size() == 2);
    CHECK(finds(findings, "back", "filter -> sensor -> filter (routes back, there)"));
    CHECK(finds(findings, "self", "sensor -> sensor (routes self)"));
}
