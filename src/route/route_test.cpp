// Runs tests/data/routes/*.json. A file has "cases" and may have a "message" for all of them. A case is
//   {"condition", "message"?, "expected": "true"|"false"|"undefined"|"error"}   or   {"condition", "error": text}
//   {"route", "message", "expected": "true"|"false"}, {"route", "endpoint"}, {"route", "expected": "error"}, {"route",
//   "error"}
#include "route/route.hpp"

#include "base/encoding.hpp"

#include <doctest/doctest.h>
#include <boost/json.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>

using namespace skerry;
namespace json = boost::json;

namespace {
json::object read_file(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return json::parse(text.str()).as_object();
}

std::string text_of(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value == nullptr ? std::string() : std::string(value->as_string());
}

model::Properties properties_of(const json::object& object, std::string_view name) {
    model::Properties out;
    const auto* members = object.if_contains(name);
    if (members == nullptr) return out;
    for (const auto& [key, value] : members->as_object()) {
        if (value.is_null())
            out.emplace_back(key, std::nullopt);
        else
            out.emplace_back(key, std::string(value.as_string()));
    }
    return out;
}

model::Message message_of(const json::object& file, const json::object& entry) {
    const auto* object = entry.if_contains("message");
    if (object == nullptr) object = file.if_contains("message");
    model::Message message;
    if (object == nullptr) return message;
    message.body = text_of(object->as_object(), "body");
    if (const auto hex = text_of(object->as_object(), "bodyHex"); !hex.empty()) message.body = hex_decode(hex).value();
    message.properties = properties_of(object->as_object(), "properties");
    message.system = properties_of(object->as_object(), "systemProperties");
    return message;
}

route::Endpoint endpoint_of(const json::object& object) {
    if (object.contains("upstream")) return route::Upstream{};
    return route::ModuleInput{text_of(object, "module"), text_of(object, "input")};
}

void check_condition(const json::object& file, const json::object& entry) {
    const auto condition = route::Condition::compile(text_of(entry, "condition"));
    if (entry.contains("error")) {
        CHECK_FALSE(condition);
        if (!condition) CHECK(condition.error().text == text_of(entry, "error"));
        return;
    }
    if (text_of(entry, "expected") == "error") {
        CHECK_FALSE(condition);
        if (!condition) CHECK(condition.error().text.starts_with("column "));
        return;
    }
    CAPTURE((condition ? std::string() : condition.error().text));
    CHECK(condition);
    if (!condition) return;
    const auto message = message_of(file, entry);
    CHECK(name_of(condition->evaluate(route::MessageView(message))) == text_of(entry, "expected"));
}

void check_route(const json::object& file, const json::object& entry) {
    const auto compiled = route::compile(text_of(entry, "route"));
    if (entry.contains("error") || text_of(entry, "expected") == "error") {
        CHECK_FALSE(compiled);
        if (compiled) return;
        CHECK(compiled.error().text.starts_with("column "));
        if (entry.contains("error")) CHECK(compiled.error().text == text_of(entry, "error"));
        return;
    }
    CAPTURE((compiled ? std::string() : compiled.error().text));
    CHECK(compiled);
    if (!compiled) return;
    if (const auto* endpoint = entry.if_contains("endpoint")) {
        CHECK(compiled->endpoint == endpoint_of(endpoint->as_object()));
        return;
    }
    const auto message = message_of(file, entry);
    CHECK(route::matches(*compiled, route::MessageView(message)) == (text_of(entry, "expected") == "true"));
}
}  // namespace

TEST_CASE("routes and conditions mean what the data files say") {
    std::size_t cases = 0;
    for (const auto& path : std::filesystem::directory_iterator(SKERRY_SOURCE_DIR "/tests/data/routes")) {
        if (path.path().extension() != ".json") continue;
        const auto file = read_file(path.path());
        for (const auto& value : file.at("cases").as_array()) {
            const auto& entry = value.as_object();
            CAPTURE(path.path().filename().string());
            CAPTURE(json::serialize(entry));
            if (entry.contains("condition"))
                check_condition(file, entry);
            else
                check_route(file, entry);
            ++cases;
        }
    }
    CHECK(cases > 500);
}

TEST_CASE("deep nesting, long chains and endless texts end in an answer or an error") {
    const auto repeat = [](std::string_view part, std::size_t times) {
        std::string out;
        for (std::size_t i = 0; i < times; ++i) out += part;
        return out;
    };
    CHECK(route::Condition::compile(repeat("(", 90) + "true" + repeat(")", 90)));
    CHECK_FALSE(route::Condition::compile(repeat("(", 5000) + "true" + repeat(")", 5000)));
    CHECK_FALSE(route::Condition::compile(repeat("NOT ", 5000) + "true"));
    CHECK_FALSE(route::Condition::compile(repeat("a", 70000)));
    CHECK_FALSE(route::Condition::compile("concat(" + repeat("'x', ", 200) + "'x') = ''"));

    const auto chain = route::Condition::compile("a = 'y'" + repeat(" OR a = 'x'", 4000));
    REQUIRE(chain);
    model::Message message;
    message.properties = {{"a", "x"}};
    CHECK(chain->evaluate(route::MessageView(message)) == route::Truth::yes);
}

TEST_CASE("a route without WHERE takes every message of its source") {
    const auto route = route::compile("FROM /messages/* INTO $upstream");
    REQUIRE(route);
    CHECK(route->source == "/messages/");
    CHECK(route::matches(*route, route::MessageView(model::Message{})));
}
