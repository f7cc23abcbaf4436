#include "daemon/toml_document.hpp"

#include <doctest/doctest.h>

using skerry::daemon::parse_toml;

namespace {
std::string problem(std::string_view text) {
    const auto parsed = parse_toml(text);
    REQUIRE_FALSE(parsed);
    return parsed.error().text;
}
}  // namespace

TEST_CASE("text of any language stands in strings and comments") {
    const auto parsed = parse_toml(
        "\xef\xbb\xbf# größe\na = 'größe' # µ\nb = \"x \\\" é\"\nc = \"\"\"\né \\\n  é\"\"\"\n"
        "d = '''\n\\\né'''\n");
    REQUIRE_MESSAGE(parsed, parsed.error().text);
    CHECK(parsed->at("a") == "größe");
    CHECK(parsed->at("b") == "x \" é");
    CHECK(parsed->at("c") == "é é");
    CHECK(parsed->at("d") == "\\\né");
}

TEST_CASE("other characters than ASCII are refused elsewhere, with their place") {
    CHECK(problem("a = 1\né = 2\n").starts_with("line 2, column 1: "));
    CHECK(problem("hostname = “device”\n").starts_with("line 1, column 12: "));
    CHECK(problem("a = 'b' é").starts_with("line 1, column 9: "));
    CHECK(problem("a = '\xff'") == "the text is not UTF-8");
}

TEST_CASE("text that looks like a stand-in for a character is left alone") {
    const auto parsed = parse_toml("a = '~~c3 é ~0~'\n");
    REQUIRE(parsed);
    CHECK(parsed->at("a") == "~~c3 é ~0~");
}

TEST_CASE("what is wrong is said with line and column") {
    CHECK(problem("a = \n").starts_with("line 1, column "));
    CHECK(problem("[+]").starts_with("line 1, column "));
}
