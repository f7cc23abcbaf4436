#include "model/twin.hpp"

#include <doctest/doctest.h>
#include <boost/json.hpp>

using namespace skerry;
namespace json = boost::json;

namespace {
Result<> validate(std::string_view text) { return model::validate_reported(model::parse_object(text).value()); }

std::string nested(int depth) {
    std::string text;
    for (int i = 0; i < depth; ++i) text += R"({"a":)";
    return text + "1" + std::string(static_cast<std::size_t>(depth), '}');
}
}  // namespace

TEST_CASE("ordinary patches may be reported") {
    CHECK(validate("{}"));
    CHECK(validate(R"({"a":{"b":null,"c":[1,2.5,"x",true,{"d":1}]},"gone":null,"größe":1,"a-b_c":"."})"));
    CHECK(validate(R"({"n":-4503599627370496,"m":4503599627370495,"f":1e300})"));
}

TEST_CASE("a patch that breaks a rule is refused, and the text names the property") {
    const std::pair<std::string, std::string_view> cases[] = {
        {R"({"a":{"b.c":1}})", "'a.b.c'"},
        {R"({"$version":1})", "'$version'"},
        {R"({"a#":1})", "'a#'"},
        {R"({"a b":1})", "'a b'"},
        {R"({"a\u0007":1})", "control character"},
        {R"({"a\u00a0b":1})", "white space"},
        {R"({"a\u2003b":1})", "white space"},
        {R"({"x":4503599627370496})", "'x'"},
        {R"({"x":-4503599627370497})", "'x'"},
        {R"({"x":18446744073709551615})", "'x'"},
        {R"({"x":[1,null]})", "'x[1]'"},
        {R"({"x":[{"y":null}]})", "'x[0].y'"},
        {R"({"x":")" + std::string(4097, 'v') + R"("})", "'x'"},
        {R"({")" + std::string(1025, 'n') + R"(":1})", "1024"},
        {nested(12), "deeper"},
    };
    for (const auto& [text, expected] : cases) {
        CAPTURE(text.substr(0, 60));
        const auto result = validate(text);
        REQUIRE_FALSE(result);
        CHECK(result.error().code == Errc::malformed);
        CAPTURE(result.error().text);
        CHECK(result.error().text.find(expected) != std::string::npos);
    }
}

TEST_CASE("the limits themselves are allowed") {
    CHECK(validate(R"({"x":")" + std::string(4096, 'v') + R"("})"));
    CHECK(validate(R"({")" + std::string(1024, 'n') + R"(":1})"));
    CHECK(validate(nested(11)));
}

TEST_CASE("a patch of more than 32768 bytes is refused") {
    json::object full;
    for (int i = 0; i < 8; ++i) full[std::to_string(i)] = std::string(4000, 'x');
    full["8"] = std::string(32768 - json::serialize(full).size() - 7, 'x');
    CHECK(json::serialize(full).size() == 32768);
    CHECK(model::validate_reported(full));
    full["8"] = std::string(full["8"].get_string().size() + 1, 'x');
    CHECK_FALSE(model::validate_reported(full));
}
