#include "cli/routes/lines.hpp"

#include <doctest/doctest.h>

using skerry::cli::evaluate_line;

TEST_CASE("a condition is evaluated on the message of its line") {
    CHECK(evaluate_line(R"({"condition":"a = 'x'","message":{"properties":{"A":"x"}}})") == R"({"result":"true"})");
    CHECK(evaluate_line(R"({"condition":"a = 'x'","message":{"properties":{"a":"y"}}})") == R"({"result":"false"})");
    CHECK(evaluate_line(R"({"condition":"a = 'x'"})") == R"({"result":"undefined"})");
    CHECK(evaluate_line(R"j({"condition":"is_null(a)","message":{"properties":{"a":null}}})j") ==
          R"({"result":"true"})");
    CHECK(evaluate_line(R"({"condition":"$body.t > 20","message":{"body":"{\"t\":21}","systemProperties":)"
                        R"({"contentType":"application/json","contentEncoding":"utf-8"}}})") == R"({"result":"true"})");
}

TEST_CASE("a line that can't be evaluated is answered with what is wrong with it") {
    const auto error = [](const char* line) { return evaluate_line(line); };
    CHECK(error("").starts_with(R"({"error":"the line is not JSON)"));
    CHECK(error("[]") == R"({"error":"the line must be a JSON object"})");
    CHECK(error("{}") == R"({"error":"condition must be there, and a string"})");
    CHECK(error(R"({"condition":"a ="})").starts_with(R"({"error":"column )"));
    CHECK(error(R"({"condition":"true","message":1})") == R"({"error":"message must be an object"})");
    CHECK(error(R"({"condition":"true","message":{"body":{}}})") == R"({"error":"message.body must be a string"})");
    CHECK(error(R"({"condition":"true","message":{"propertys":{}}})") ==
          R"({"error":"message.propertys is unknown; a message has body, properties and systemProperties"})");
    CHECK(error(R"({"condition":"true","message":{"properties":{"a":1}}})") ==
          R"({"error":"message.properties.a must be a string or null"})");
}
