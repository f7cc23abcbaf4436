#include "model/message.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace skerry;

TEST_CASE("properties are found by exact name, or without regard to case") {
    const model::Properties properties{{"Level", "high"}, {"level", "low"}, {"flag", std::nullopt}};
    CHECK(model::find(properties, "level")->value == "low");
    CHECK(model::find_ignoring_case(properties, "LEVEL")->value == "high");
    REQUIRE(model::find(properties, "flag"));
    CHECK_FALSE(model::find(properties, "flag")->value);
    CHECK_FALSE(model::find(properties, "absent"));
    CHECK_FALSE(model::find_ignoring_case(properties, "absent"));
}

TEST_CASE("properties keep their order, empty names and values, and values that are absent") {
    model::Properties properties{{"", ""}, {"a", std::nullopt}, {"a", "1"}};
    properties.emplace_back("binary", std::string_view("\0\xff", 2));
    REQUIRE(properties.size() == 4);
    std::vector<model::Property> seen(properties.begin(), properties.end());
    CHECK(seen[0] == model::Property{"", ""});
    CHECK(seen[1] == model::Property{"a", std::nullopt});
    CHECK(seen[2] == model::Property{"a", "1"});
    CHECK(seen[3] == model::Property{"binary", std::string_view("\0\xff", 2)});
    CHECK(properties.bytes() == 11);
    CHECK(properties != model::Properties{{"", ""}, {"a", ""}, {"a", "1"}});
}

TEST_CASE("setting a property changes the first of its name in its place, erasing keeps the order of the rest") {
    model::Properties properties{{"a", std::nullopt}, {"b", "2"}, {"a", "3"}};
    properties.set("a", "longer than before");
    properties.set("c", "4");
    CHECK(properties == model::Properties{{"a", "longer than before"}, {"b", "2"}, {"a", "3"}, {"c", "4"}});
    properties.erase_if([](const model::Property& property) { return property.name == "a"; });
    CHECK(properties == model::Properties{{"b", "2"}, {"c", "4"}});
    CHECK(properties.size() == 2);
    properties.erase_if([](const model::Property&) { return true; });
    CHECK(properties.empty());
    CHECK(properties.begin() == properties.end());
}

TEST_CASE("setting a system property replaces the one there is") {
    model::Message message;
    CHECK_FALSE(message.system_property("messageId"));
    message.set_system_property("messageId", "1");
    message.set_system_property("messageId", "2");
    CHECK(message.system.size() == 1);
    CHECK(message.system_property("messageId") == "2");
}

TEST_CASE("a message's size counts names, values and body") {
    model::Message message;
    message.body = "12345";
    message.properties = {{"ab", "cde"}, {"f", std::nullopt}};
    message.set_system_property("cid", "x");
    CHECK(message.size() == 5 + 5 + 1 + 4);
}
