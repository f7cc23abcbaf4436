#include "model/twin.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>
#include <boost/json.hpp>

using namespace skerry;
namespace json = boost::json;

namespace {
json::object object(std::string_view text) { return model::parse_object(text).value(); }

// A null-free document of at most `depth` levels, over few names so that documents overlap.
rc::Gen<json::value> any_value(int depth);

rc::Gen<json::object> any_document(int depth) {
    const auto name = rc::gen::element<std::string>("a", "b", "c", "d");
    const auto member = rc::gen::pair(name, any_value(depth - 1));
    const auto members =
        rc::gen::resize(5, rc::gen::container<std::vector<std::pair<std::string, json::value>>>(member));
    return rc::gen::map(members, [](const auto& entries) {
        json::object out;
        for (const auto& [key, value] : entries) out[key] = value;
        return out;
    });
}

rc::Gen<json::value> any_value(int depth) {
    const auto number = rc::gen::map(rc::gen::inRange(0, 3), [](int n) { return json::value(n); });
    const auto text =
        rc::gen::map(rc::gen::element<std::string>("", "x"), [](const std::string& s) { return json::value(s); });
    const auto list =
        rc::gen::map(rc::gen::inRange(0, 3), [](int n) { return json::value(json::array(n, json::value(n))); });
    if (depth <= 0) return rc::gen::oneOf(number, text, list);
    const auto nested = rc::gen::map(any_document(depth), [](json::object o) { return json::value(std::move(o)); });
    return rc::gen::weightedOneOf<json::value>({{1, number}, {1, text}, {1, list}, {2, nested}});
}

void checked(const char* what, const auto& property) {
    CAPTURE(what);
    CHECK(rc::check(what, property));
}
}  // namespace

TEST_CASE("a patch replaces values, merges objects and removes what is null") {
    auto document = object(R"({"keep":1,"change":{"x":1,"y":{"z":2}},"drop":[1],"list":[1,2]})");
    model::merge_patch(document,
                       object(R"({"change":{"x":null,"y":{"w":3}},"drop":null,"list":[{"n":null}],"never":null})"));
    CHECK(document == object(R"({"keep":1,"change":{"y":{"z":2,"w":3}},"list":[{"n":null}]})"));
}

TEST_CASE("an object that replaces a value brings no nulls along") {
    auto document = object(R"({"a":1})");
    model::merge_patch(document, object(R"({"a":{"b":null,"c":2},"d":{"e":null}})"));
    CHECK(document == object(R"({"a":{"c":2},"d":{}})"));
}

TEST_CASE("gathered patches keep their nulls, so that nothing is forgotten when they are sent") {
    auto pending = object(R"({"a":{"b":1},"c":2})");
    model::merge_patch(pending, object(R"({"a":{"b":null},"c":null,"d":{"e":null}})"), model::Nulls::keep);
    CHECK(pending == object(R"({"a":{"b":null},"c":null,"d":{"e":null}})"));
    model::merge_patch(pending, object(R"({"c":{"f":3}})"), model::Nulls::keep);
    CHECK(pending == object(R"({"a":{"b":null},"c":{"f":3},"d":{"e":null}})"));
}

TEST_CASE("a diff has changes and new members, null for vanished ones, and nothing else") {
    const auto before = object(R"({"same":{"x":[1]},"changed":1,"gone":{"y":1},"deep":{"a":1,"b":2},"list":[1,2]})");
    const auto after = object(R"({"same":{"x":[1]},"changed":"1","new":{},"deep":{"a":1,"b":3},"list":[1]})");
    CHECK(model::diff(before, after) == object(R"({"changed":"1","gone":null,"new":{},"deep":{"b":3},"list":[1]})"));
    CHECK(model::diff(before, before).empty());
    CHECK(model::diff(object(R"({"a":1})"), object(R"({"a":null,"b":null})")) == object(R"({"a":null})"));
    CHECK(model::diff(object(R"({"a":null})"), object("{}")).empty());
}

TEST_CASE("applying the diff of two documents to the first gives the second") {
    checked("merge(a, diff(a, b)) == b", [] {
        const auto before = *any_document(3);
        const auto after = *any_document(3);
        auto merged = before;
        model::merge_patch(merged, model::diff(before, after));
        RC_ASSERT(merged == after);
    });
    checked("diff(a, a) is empty", [] {
        const auto document = *any_document(3);
        RC_ASSERT(model::diff(document, document).empty());
    });
}

TEST_CASE("text that is no JSON object is refused with the place of the trouble") {
    CHECK(model::parse_object(R"( {"a": 1} )"));
    for (const std::string_view bad : {"", "{", "[]", "1", "null", R"({"a":})", R"({"a":1}x)", "{\"\xff\":1}"}) {
        CAPTURE(bad);
        const auto parsed = model::parse_object(bad);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().code == Errc::malformed);
    }
    CHECK(model::parse_object(R"({"a":!})").error().text.find("offset 5") != std::string::npos);
}

TEST_CASE("nesting beyond 64 levels is refused, not a stack overflow") {
    const auto nested = [](std::size_t depth) {
        std::string text;
        for (std::size_t i = 0; i < depth; ++i) text += R"({"a":)";
        return text + "1" + std::string(depth, '}');
    };
    CHECK(model::parse_object(nested(64)));
    CHECK_FALSE(model::parse_object(nested(65)));
    CHECK_FALSE(model::parse_object(nested(1000000)));
}
