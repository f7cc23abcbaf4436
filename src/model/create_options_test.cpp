#include "model/manifest.hpp"
#include "model/twin.hpp"

#include <doctest/doctest.h>
#include <boost/json.hpp>

using namespace skerry;
namespace json = boost::json;

namespace {
json::object object(std::string_view text) { return model::parse_object(text).value(); }
bool same(std::string_view a, std::string_view b) { return model::same_create_options(object(a), object(b)); }
}  // namespace

TEST_CASE("create options are one object, one text, or numbered pieces of a text in any order") {
    const auto expected = object(R"({"Env":["A=1"],"Labels":{"x":"y"}})");
    for (
        const auto* settings : {
            R"({"createOptions":{"Env":["A=1"],"Labels":{"x":"y"}}})",
            R"({"createOptions":"{\"Env\":[\"A=1\"],\"Labels\":{\"x\":\"y\"}}"})",
            R"({"createOptions02":"\"}}","createoptions":"{\"Env\":[\"A=1\"],","CREATEOPTIONS01":"\"Labels\":{\"x\":\"y"})",
            R"({"createOptions":"{\"Env\":[\"A=1\"],","createOptions1":"\"Labels\":{\"x\":\"y\"}}","image":"createOptions7"})",
        }) {
        CAPTURE(settings);
        const auto options = model::read_create_options(object(settings));
        REQUIRE(options);
        CHECK(*options == expected);
    }
}

TEST_CASE("no create options are empty create options") {
    for (const auto* settings :
         {"{}", R"({"createOptions":null})", R"({"createOptions":" "})", R"({"createOptions":"null"})"})
        CHECK(model::read_create_options(object(settings)).value().empty());
}

TEST_CASE("broken create options are refused with the piece's name") {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {R"({"createOptions":"["})", "createOptions: "},
        {R"({"createOptions":7})", "createOptions: must be"},
        {R"({"createOptions":"{","createOptions01":{}})", "createOptions01: must be"},
        {R"({"createOptions":{},"createOptions01":"}"})", "createOptions: must be"},
        {R"({"createOptions":"{","createOptions01":"}","createOptions1":"}"})",
         "createOptions1: this piece is there twice"},
        {R"({"createOptions100":"}"})", "createOptions100: more than 100 pieces"},
        {R"({"createOptions":{"HostConfig":[]}})", "createOptions.HostConfig: must be an object"},
        {R"({"createOptions":{"Env":["A",1]}})", "createOptions.Env: must be an array"},
    };
    for (const auto& [settings, expected] : cases) {
        CAPTURE(settings);
        const auto options = model::read_create_options(object(settings));
        REQUIRE_FALSE(options);
        CAPTURE(options.error().text);
        CHECK(options.error().text.starts_with(expected));
    }
}

TEST_CASE("create options are written in pieces of 512 bytes that never cut a character, and read back") {
    for (const std::size_t length : {0U, 1U, 480U, 511U, 512U, 513U, 3000U, 20000U}) {
        json::object options;
        std::string text;
        while (text.size() < length) text += text.size() % 3 == 0 ? "é" : "x";
        if (length > 0) options["Labels"] = {{"long", text}};
        json::object settings{{"image", "x"}};
        model::write_create_options(options, settings);
        for (const auto& [name, value] : settings) {
            CHECK(value.get_string().size() <= 512);
            CHECK((static_cast<unsigned char>(value.get_string()[0]) & 0xc0) != 0x80);
        }
        CHECK(model::read_create_options(settings) == options);
    }
    json::object settings;
    model::write_create_options({}, settings);
    CHECK(settings == object(R"({"createOptions":"{}"})"));
}

TEST_CASE("create options compare by meaning") {
    CHECK(same(R"({"HostConfig":{"Privileged":false,"Memory":0,"Binds":null}})", "{}"));
    CHECK(same(R"({"A":1,"B":2})", R"({"B":2,"A":1})"));
    CHECK(same(R"({"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"80"}]},"Privileged":false}})",
               R"({"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"80"}]}}})"));
    CHECK_FALSE(same(R"({"HostConfig":{"Privileged":true}})", "{}"));
    CHECK_FALSE(same(R"({"ExposedPorts":{"80/tcp":{}}})", R"({"ExposedPorts":{}})"));
    CHECK_FALSE(same(R"({"HostConfig":{"MemorySwappiness":0}})", "{}"));
    CHECK_FALSE(same(R"({"Env":["A=1","B=2"]})", R"({"Env":["B=2","A=1"]})"));
}
