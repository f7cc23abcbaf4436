#include "model/message.hpp"

#include <doctest/doctest.h>

using namespace skerry;

TEST_CASE("properties are found by exact name, or without regard to case") {
    const model::Properties properties{{"Level", "high"}, {"level", "low"}, {"flag", std::nullopt}};
    CHECK(*model::find(properties, "level") == "low");
    CHECK(*model::find_ignoring_case(properties, "LEVEL") == "high");
    REQUIRE(model::find(properties, "flag") != nullptr);
    CHECK_FALSE(model::find(properties, "flag")->has_value());
    CHECK(model::find(properties, "absent") == nullptr);
    CHECK(model::find_ignoring_case(properties, "absent") == nullptr);
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
