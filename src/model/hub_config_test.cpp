#include "model/hub_config.hpp"

#include "model/twin.hpp"

#include <doctest/doctest.h>
#include <boost/json.hpp>

#include <map>

using namespace skerry;

namespace {
Result<model::ParsedHubConfig> parse(std::string_view text) {
    return model::parse_hub_config(model::parse_object(text).value());
}
}  // namespace

TEST_CASE("routes are texts or objects, and come in the order of their names") {
    const auto parsed = parse(R"({"schemaVersion":"1.2","routes":{
        "z":"FROM /* INTO $upstream",
        "a":{"route":"FROM /messages/* INTO $upstream","priority":0,"timeToLiveSecs":60,"durability":"os"},
        "m":{"route":"FROM /x INTO $upstream"}, "blank":" ", "gone":null},
        "storeAndForwardConfiguration":{"timeToLiveSecs":100,"storeLimits":{"maxSizeBytes":12345678901}},
        "mqttBroker":{}, "$version":4})");
    REQUIRE(parsed);
    CHECK(parsed->problems.empty());
    const auto& config = parsed->config;
    CHECK(config.schema_version == "1.2");
    REQUIRE(config.routes.size() == 3);
    CHECK(config.routes[0].name == "a");
    CHECK(config.routes[0].text == "FROM /messages/* INTO $upstream");
    CHECK(config.routes[0].priority == 0);
    CHECK(config.routes[0].time_to_live_seconds == 60);
    CHECK(config.routes[0].durability == Durability::os);
    CHECK(config.routes[1].name == "m");
    CHECK(config.routes[1].priority == model::default_route_priority);
    CHECK(config.routes[1].time_to_live_seconds == 0);
    CHECK_FALSE(config.routes[1].durability);
    CHECK(config.routes[2].name == "z");
    CHECK(config.time_to_live_seconds == 100U);
    CHECK(config.store_limit_bytes == 12345678901U);
}

TEST_CASE("schema 1.0 needs neither routes nor store settings") {
    const auto parsed = parse(R"({"schemaVersion":"1.0"})");
    REQUIRE(parsed);
    CHECK(parsed->config.routes.empty());
    CHECK(parsed->config.time_to_live_seconds == 7200U);
    CHECK_FALSE(parsed->config.store_limit_bytes);
}

TEST_CASE("a negative time to live means for ever") {
    const auto parsed = parse(R"({"schemaVersion":"1.0","storeAndForwardConfiguration":{"timeToLiveSecs":-1}})");
    REQUIRE(parsed);
    CHECK_FALSE(parsed->config.time_to_live_seconds);
}

TEST_CASE("a bad route is reported by name and the others stay usable") {
    const auto parsed = parse(R"({"schemaVersion":"1.1","storeAndForwardConfiguration":{},"routes":{
        "good":"FROM /* INTO $upstream","number":7,"far":{"route":"FROM /* INTO $upstream","priority":10},
        "empty":{"priority":1},"late":{"route":"FROM /* INTO $upstream","timeToLiveSecs":-1},
        "safe":{"route":"FROM /* INTO $upstream","durability":"Disc"}}})");
    REQUIRE(parsed);
    REQUIRE(parsed->config.routes.size() == 1);
    CHECK(parsed->config.routes[0].name == "good");
    std::map<std::string, std::string> problems;
    for (const auto& problem : parsed->problems) problems[problem.where] = problem.text;
    CHECK(problems == std::map<std::string, std::string>{
                          {"number", "route 'number': must be a text or an object"},
                          {"far", "route 'far'.priority: must be a whole number in 0..9"},
                          {"empty", "route 'empty'.route: is missing"},
                          {"late", "route 'late'.timeToLiveSecs: must be a whole number in 0..4294967295"},
                          {"safe", "route 'safe'.durability: 'Disc' is none: must be disk, os or memory"}});
}

TEST_CASE("route objects need schema 1.1") {
    const auto parsed = parse(R"({"schemaVersion":"1.0","routes":{"r":{"route":"FROM /* INTO $upstream"}}})");
    REQUIRE(parsed);
    CHECK(parsed->config.routes.empty());
    REQUIRE(parsed->problems.size() == 1);
    CHECK(parsed->problems[0].text.find("schemaVersion 1.1") != std::string::npos);
}

TEST_CASE("a document that says nothing reliable is refused whole") {
    CHECK(parse(R"({"routes":{}})").error().text == "missing SchemaVersion");
    for (const std::string version : {"1.4", "2.0", "0.9", "1", "one"}) {
        const auto parsed = parse(R"({"schemaVersion":")" + version + R"("})");
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().code == Errc::unsupported);
        CHECK(parsed.error().text == "EdgeHub config contains unsupported SchemaVersion: " + version);
    }
    CHECK(parse(R"({"schemaVersion":"1.1","storeAndForwardConfiguration":{}})").error().text == "routes: is missing");
    CHECK(parse(R"({"schemaVersion":"1.1","routes":{}})").error().text == "storeAndForwardConfiguration: is missing");
    CHECK_FALSE(parse(R"({"schemaVersion":"1.0","routes":[]})"));
    CHECK(parse(R"({"schemaVersion":"1.0","storeAndForwardConfiguration":{"storeLimits":{"maxSizeBytes":-1}}})")
              .error()
              .text.starts_with("storeAndForwardConfiguration.storeLimits.maxSizeBytes: must be"));
}

TEST_CASE("a broken section that nobody uses is only reported") {
    const auto parsed = parse(R"({"schemaVersion":"1.0","mqttBroker":7})");
    REQUIRE(parsed);
    REQUIRE(parsed->problems.size() == 1);
    CHECK(parsed->problems[0].where == "mqttBroker");
}

TEST_CASE("what each schema version may say, and what is said of the rest") {
    struct Case {
        const char* name;
        const char* document;
        std::vector<std::string> routes;    // that are usable
        std::vector<std::string> problems;  // contained in one each, in this order
        std::size_t notes;
    };
    const Case cases[] = {
        {"1.0 with texts", R"({"schemaVersion":"1.0","routes":{"r":"FROM /* INTO $upstream"}})", {"r"}, {}, 0},
        {"1.0 may have parts of a build",
         R"({"schemaVersion":"1.0.0","routes":{"r":"FROM /* INTO $upstream"}})",
         {"r"},
         {},
         0},
        {"1.1 mixes texts and objects",
         R"({"schemaVersion":"1.1","routes":{"a":"FROM /* INTO $upstream","b":{"route":"FROM /* INTO $upstream","priority":9,"timeToLiveSecs":0}},"storeAndForwardConfiguration":{}})",
         {"a", "b"},
         {},
         0},
        {"1.2 has store limits and a broker that is not here",
         R"({"schemaVersion":"1.2","routes":{},"storeAndForwardConfiguration":{"timeToLiveSecs":1,"storeLimits":{"maxSizeBytes":1}},"mqttBroker":{"authorizations":[{"identities":["x"]}]}})",
         {},
         {},
         1},
        {"1.3 has a signature that nobody checks",
         R"({"schemaVersion":"1.3","routes":{},"storeAndForwardConfiguration":{},"mqttBroker":{"bridges":[]},"integrity":{"header":{},"signature":{}}})",
         {},
         {},
         2},
        {"empty sections are not worth a note",
         R"({"schemaVersion":"1.3","routes":{},"storeAndForwardConfiguration":{},"mqttBroker":{},"integrity":{}})",
         {},
         {},
         0},
        {"unknown members are ignored",
         R"({"schemaVersion":"1.0","colour":"blue","$metadata":{},"$version":3})",
         {},
         {},
         0},
        {"a removed route is null", R"({"schemaVersion":"1.0","routes":{"r":null}})", {}, {}, 0},
        {"an unused section of the wrong kind",
         R"({"schemaVersion":"1.3","routes":{},"storeAndForwardConfiguration":{},"integrity":[]})",
         {},
         {"integrity: must be an object"},
         0},
        {"a priority that is no number",
         R"({"schemaVersion":"1.1","routes":{"r":{"route":"FROM /* INTO $upstream","priority":"1"}},"storeAndForwardConfiguration":{}})",
         {},
         {"route 'r'.priority"},
         0},
    };
    for (const auto& each : cases) {
        INFO(each.name);
        const auto parsed = parse(each.document);
        REQUIRE(parsed);
        std::vector<std::string> routes;
        for (const auto& route : parsed->config.routes) routes.push_back(route.name);
        CHECK(routes == each.routes);
        REQUIRE(parsed->problems.size() == each.problems.size());
        for (std::size_t n = 0; n < each.problems.size(); ++n)
            CHECK(parsed->problems[n].text.contains(each.problems[n]));
        CHECK(parsed->notes.size() == each.notes);
    }
}
