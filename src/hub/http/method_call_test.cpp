#include "hub/http/method_call.hpp"

#include <doctest/doctest.h>

#include <fmt/format.h>

using namespace skerry;
using namespace skerry::hub::http;
using namespace std::chrono_literals;

TEST_CASE("a call is read with its timeouts, and with the usual ones when it has none") {
    const auto call = parse_method_call(
        R"({"methodName":"reset","payload":{"a":[1,"}"]},"responseTimeoutInSeconds":7,"connectTimeoutInSeconds":3.0})");
    REQUIRE(call.has_value());
    CHECK(call->name == "reset");
    CHECK(call->payload == R"({"a":[1,"}"]})");
    CHECK(call->response == 7s);
    CHECK(call->connect == 3s);

    const auto shortest =
        parse_method_call(R"( {"timeout":5,"methodName":"x","responseTimeoutInSeconds":null} )").value();
    CHECK(shortest.payload == "null");
    CHECK(shortest.response == 30s);
    CHECK(shortest.connect == 0s);
}

TEST_CASE("a payload goes on as it was written") {
    const std::string_view payloads[] = {"12345678901234567890123", "1.10",   R"({"a":1,"a":2})",
                                         R"("\u00e9 \" {")",        R"([ ])", "true",
                                         R"({ "x" : [{},[]] })"};
    for (const auto payload : payloads) {
        CHECK(parse_method_call(fmt::format(R"({{"methodName":"m","payload": {} }})", payload)).value().payload ==
              payload);
        CHECK(parse_method_call(fmt::format(R"({{"payload":{},"methodName":"m"}})", payload)).value().payload ==
              payload);
    }
    // The member counts, not a text that looks like it; of two the last one, however its name is written.
    CHECK(parse_method_call(R"({"methodName":"m","note":"\"payload\":1","payload":2})").value().payload == "2");
    CHECK(parse_method_call(R"({"methodName":"m","in":{"payload":1}})").value().payload == "null");
    CHECK(parse_method_call(R"({"methodName":"m","payload":1,"p\u0061yload":2})").value().payload == "2");
}

TEST_CASE("a call that can't be made is refused with what is wrong") {
    const auto of = [](std::string_view rest) { return fmt::format(R"({{"methodName":"m",{}}})", rest); };
    const std::pair<std::string, std::string_view> wrong[] = {
        {"", "JSON object"},
        {"[]", "JSON object"},
        {R"({"methodName":"m")", "JSON object"},
        {"{}", "methodName"},
        {R"({"methodName":""})", "methodName"},
        {R"({"methodName":7})", "methodName"},
        {fmt::format(R"({{"methodName":"{}"}})", std::string(101, 'x')), "100 characters"},
        {of(R"("connectTimeoutInSeconds":301)"), "connectTimeoutInSeconds must be a whole number from 0 to 300"},
        {of(R"("connectTimeoutInSeconds":-1)"), "connectTimeoutInSeconds"},
        {of(R"("connectTimeoutInSeconds":"3")"), "connectTimeoutInSeconds"},
        {of(R"("responseTimeoutInSeconds":4)"), "responseTimeoutInSeconds must be a whole number from 5 to 300"},
        {of(R"("responseTimeoutInSeconds":301)"), "responseTimeoutInSeconds"},
        {of(R"("responseTimeoutInSeconds":7.5)"), "responseTimeoutInSeconds"},
        {of(fmt::format(R"("payload":"{}")", std::string(128 * 1024 - 1, 'x'))), "the limit is 131072"},
    };
    for (const auto& [body, reason] : wrong) {
        const auto call = parse_method_call(body);
        REQUIRE_FALSE(call);
        CHECK_MESSAGE(call.error().text.contains(reason), call.error().text);
    }
    CHECK(parse_method_call(of(fmt::format(R"("payload":"{}")", std::string(128 * 1024 - 2, 'x')))).has_value());
    std::string name;
    for (int i = 0; i < 100; ++i) name += "é";
    CHECK(parse_method_call(fmt::format(R"({{"methodName":"{}"}})", name)).has_value());
}

TEST_CASE("an answer is JSON whatever the target sent") {
    CHECK(method_answer_text(200, R"({"n":12345678901234567890})") ==
          R"({"status":200,"payload":{"n":12345678901234567890}})");
    CHECK(method_answer_text(-3, "") == R"({"status":-3,"payload":null})");
    CHECK(method_answer_text(500, "\xff\x96") == R"({"status":500,"payload":"??"})");
    CHECK(method_answer_text(500, "it's \"broken\"") == R"({"status":500,"payload":"it's \"broken\""})");
}
