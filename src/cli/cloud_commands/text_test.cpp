#include "cli/cloud_commands/text.hpp"

#include <doctest/doctest.h>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

using namespace skerry::cli;

TEST_CASE("JSON is indented for people and stays the same JSON") {
    const auto value = boost::json::parse(R"({"a":{"b":[1,2]},"empty":{},"none":[],"text":"x\"y"})");
    CHECK(pretty(value) ==
          "{\n  \"a\": {\n    \"b\": [\n      1,\n      2\n    ]\n  },\n  \"empty\": {},\n  \"none\": [],\n"
          "  \"text\": \"x\\\"y\"\n}\n");
    CHECK(boost::json::parse(pretty(value)) == value);
}

TEST_CASE("a table's columns are as wide as they must be") {
    CHECK(table({{"ID", "STATE"}, {"a-long-one", "up"}, {"b", ""}}) ==
          "ID          STATE\na-long-one  up\nb           \n");
}

TEST_CASE("an event is one line, whatever a device put into it") {
    CHECK(event_text(R"({"enqueuedTime":"2026-01-01T10:00:00.000Z","deviceId":"d","moduleId":"m",)"
                     R"("properties":{"k":"v","bare":null},"body":"{\"t\":1}"})") ==
          R"(2026-01-01T10:00:00.000Z  d/m  {"t":1}  {k=v, bare=})");
    CHECK(event_text("{\"deviceId\":\"d\",\"body\":\"a\\u001b[31m\\nb\"}") == "  d  a?[31m?b");
    CHECK(event_text(R"({"deviceId":"d","bodyBase64":"//4="})") == "  d  (base64) //4=");
    CHECK(event_text("broken\x1b") == "broken?");
}
