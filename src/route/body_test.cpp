// Reading what is asked for must give what a search through the whole document gives.
#include "route/route.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>
#include <boost/json.hpp>

#include <cmath>
#include <memory>

using namespace skerry;
using route::BodyPaths;
using route::BodyValues;
using route::Value;
namespace json = boost::json;

namespace {
// Decisions for a generator, out of random bytes; ends in zeros.
class Choices {
public:
    explicit Choices(std::vector<int> bytes) : bytes_(std::move(bytes)) {}
    std::size_t below(std::size_t bound) {
        return at_ < bytes_.size() ? static_cast<std::size_t>(bytes_[at_++]) % bound : 0;
    }
    template <std::size_t Size>
    std::string of(const std::array<std::string_view, Size>& choices) {
        return std::string(choices[below(Size)]);
    }

private:
    std::vector<int> bytes_;
    std::size_t at_{0};
};

// JSON over few names, so that paths lead somewhere and names come twice; some of it with comments and commas too many.
class Writer {
public:
    explicit Writer(Choices& choices) : choices_(choices), lenient_(choices.below(4) == 0) {}

    std::string document() {
        auto text = blank() + (choices_.below(16) == 0 ? value(0) : object(5)) + blank();
        for (auto damages = choices_.below(4); damages > 2; --damages) damage(text);
        return text;
    }

private:
    std::string blank() {
        if (lenient_ && choices_.below(8) == 0) return choices_.below(2) == 0 ? "/* {\"a\": */" : "// ]\n";
        return choices_.of(std::array<std::string_view, 4>{"", "", " ", "\r\n\t"});
    }

    std::string scalar() {
        if (choices_.below(100) == 99) return choices_.of(malformed);
        return choices_.of(choices_.below(2) == 0 ? numbers : others);
    }

    std::string value(std::size_t depth) {
        const auto kind = choices_.below(8);
        if (depth == 0 || kind < 4) return scalar();
        return kind < 6 ? object(depth - 1) : array(depth - 1);
    }

    std::string members(std::size_t depth, bool named) {
        std::string out;
        const auto count = depth > 2 ? 2 + choices_.below(6) : choices_.below(5);
        for (std::size_t n = 0; n < count; ++n) {
            if (n > 0) out += ',';
            out += blank();
            if (named) out += choices_.of(names) + blank() + ':' + blank();
            out += value(depth) + blank();
        }
        if (lenient_ && count > 0 && choices_.below(4) == 0) out += ',';
        return out + blank();
    }
    std::string object(std::size_t depth) { return "{" + members(depth, true) + "}"; }
    std::string array(std::size_t depth) { return "[" + members(depth, false) + "]"; }

    void damage(std::string& text) {
        const auto at = (choices_.below(256) * 256 + choices_.below(256)) % text.size();
        constexpr std::string_view signs("{}[],:\"\\/0e-. \0x", 16);
        if (choices_.below(2) == 0)
            text.erase(at, 1);
        else
            text.insert(at, 1, signs[choices_.below(signs.size())]);
        if (text.empty()) text = " ";
    }

    using Words = std::array<std::string_view, 10>;
    // clang-format off
    static constexpr Words numbers{"0", "-0", "7", "-12", "21.5", "1e3", "-2.5E-2", "1e400", "12345678901234567890",
                                   "123456789012345678901234567890"};
    static constexpr Words others{"null", "true", "false", R"("")", R"("text")", R"("\u00e4\n\"\\")",
                                  R"("\ud83d\ude00")", "\"\u00fc\"", R"("2024-02-29T12:00:00Z")",
                                  R"("2024-02-30T12:00:00Z")"};
    static constexpr Words malformed{R"("\ud83d")", "\"\x01\"", "nul", "01", "+1", ".5", "1.", "'a'", "NaN", "\"a"};
    static constexpr Words names{R"("a")", R"("a")", R"("a")", R"("b")", R"("b")", R"("c")", R"("A")", R"("\u0061")",
                                 R"("aa")", R"("")"};
    // clang-format on
    Choices& choices_;
    bool lenient_;
};

route::BodyPath any_path(Choices& choices) {
    route::BodyPath path;
    for (auto steps = 1 + choices.below(3) * choices.below(2); steps > 0; --steps) {
        route::BodyStep step{choices.of(std::array<std::string_view, 6>{"a", "a", "b", "c", "A", "aa"}), std::nullopt};
        if (choices.below(4) == 0) step.index = choices.below(4);
        path.push_back(std::move(step));
    }
    return path;
}

std::optional<json::object> parse(std::string_view text) {
    json::parse_options options;
    options.allow_comments = true;
    options.allow_trailing_commas = true;
    options.max_depth = route::deepest_body;
    options.allow_invalid_utf8 = true;
    json::error_code error;
    const auto document = json::parse(json::string_view(text.data(), text.size()), error, {}, options);
    return error || !document.is_object() ? std::nullopt : std::optional(document.get_object());
}

Value to_value(const json::value& value) {
    if (value.is_null()) return route::null_value();
    if (value.is_bool()) return route::make_value(value.get_bool());
    if (value.is_number()) return route::make_value(value.to_number<double>());
    if (!value.is_string()) return route::undefined_value();
    const std::string_view text = value.get_string();
    return route::looks_like_date(text) ? route::undefined_value() : route::make_value(text);
}

// The same by a walk through the whole document.
Value expected_at(const std::optional<json::object>& document, const route::BodyPath& path) {
    if (!document) return route::undefined_value();
    const auto* object = &*document;
    const json::value* value = nullptr;
    for (const auto& step : path) {
        value = object == nullptr ? nullptr : object->if_contains(step.name);
        if (value != nullptr && step.index) {
            const auto* const array = value->if_array();
            value = array == nullptr ? nullptr : array->if_contains(*step.index);
        }
        if (value == nullptr) return route::missing_value();
        object = value->if_object();
    }
    return to_value(*value);
}

// The library's numbers may be wrong in the last bit.
bool same(const Value& a, const Value& b) {
    return a.kind == b.kind && a.truth == b.truth && a.text == b.text &&
           (a.number == b.number || std::fabs(a.number - b.number) <= std::fabs(b.number) * 1e-15);
}

std::string nested(std::size_t depth) {
    std::string text;
    for (std::size_t i = 0; i < depth; ++i) text += R"({"a":)";
    return text + "1" + std::string(depth, '}');
}

Value read_one(std::string_view text, std::string_view path) {
    const auto paths = std::make_shared<BodyPaths>();
    const auto place = paths->add(route::parse_body_path(path).value());
    BodyValues values;
    values.read(text, paths);
    return values.at(place);
}

model::Message json_message(std::string_view body) {
    model::Message message;
    message.body = body;
    message.system = {{"contentType", "application/json"}, {"contentEncoding", "utf-8"}};
    return message;
}
}  // namespace

TEST_CASE("any paths into any body give what a search through the parsed document gives") {
    std::size_t documents = 0;
    std::size_t hits = 0;
    const auto property = [&] {
        Choices choices(*rc::gen::container<std::vector<int>>(300, rc::gen::inRange(0, 256)));
        std::vector<route::BodyPath> asked;
        const auto paths = std::make_shared<BodyPaths>();
        for (auto count = 1 + choices.below(24); count > 0; --count) asked.push_back(any_path(choices));
        const auto text = Writer(choices).document();
        RC_LOG() << text << '\n';

        std::vector<BodyPaths::Place> places;
        for (const auto& path : asked) places.push_back(paths->add(path));
        BodyValues values;
        values.read(text, paths);
        const auto document = parse(text);
        documents += document ? 1 : 0;
        for (std::size_t i = 0; i < asked.size(); ++i) {
            const auto expected = expected_at(document, asked[i]);
            hits += document && expected.kind != Value::Kind::missing ? 1 : 0;
            RC_ASSERT(same(values.at(places[i]), expected));
        }
    };
    CHECK(rc::check("selected == searched", property));
    // Otherwise it would say little.
    CHECK(documents > 20);
    CHECK(hits > 20);
}

TEST_CASE("of a name that comes twice the last one counts, with nothing of the first") {
    CHECK(read_one(R"({"a":{"b":1},"a":{"c":2}})", "a.b").kind == Value::Kind::missing);
    CHECK(read_one(R"({"a":[1,{"b":2}],"a":[1]})", "a[1].b").kind == Value::Kind::missing);
    CHECK(read_one(R"({"a":{"b":1},"a":7})", "a").number == 7);
    CHECK(read_one(R"({"a":7,"\u0061":{"b":8}})", "a.b").number == 8);
}

TEST_CASE("a body is read 64 levels deep, wherever it is asked") {
    CHECK(read_one(nested(64), "a.a.b").kind == Value::Kind::missing);
    CHECK(read_one(nested(65), "a.a.b").kind == Value::Kind::undefined);
    std::string deepest = "a";
    for (int n = 1; n < 64; ++n) deepest += ".a";
    CHECK(read_one(nested(64), deepest).number == 1);
    CHECK(read_one(nested(64), deepest + ".a").kind == Value::Kind::missing);
    CHECK(read_one(R"({"x":1,"a":)" + std::string(100000, '[') + "}", "x").kind == Value::Kind::undefined);
}

TEST_CASE("numbers in bodies are the nearest doubles, as .NET reads them") {
    CHECK(read_one(R"({"a":0.500000000000000166533453694})", "a").number == 0.500000000000000166533453694);
    CHECK(read_one(R"({"a":9007199254740993.0})", "a").number == 9007199254740992.0);
    CHECK(read_one(R"({"a":1.7976931348623157e308})", "a").number == 1.7976931348623157e308);
    CHECK(std::isinf(read_one(R"({"a":1e400})", "a").number));
    CHECK(read_one(R"({"a":5e-324})", "a").number == 5e-324);
}

TEST_CASE("texts with escapes, and bodies in other encodings, live as long as the view") {
    auto message = json_message("{\"a\":\"x\\u00e4y\",\"b\":\"plain\",\"bad\":\"\xff\"}");
    const route::MessageView view(message);
    for (int n = 0; n < 2; ++n) {
        CHECK(route::Condition::compile("$body.a = 'xäy'").value().evaluate(view) == route::Truth::yes);
        CHECK(route::Condition::compile("$body.b = 'plain' AND $body.bad = '\uFFFD'").value().evaluate(view) ==
              route::Truth::yes);
    }
}

TEST_CASE("the routes of a set share one reading of the body, and none but what they ask for") {
    const auto message = json_message(R"({"a":{"b":1},"c":[{"d":"x"}]})");
    const route::MessageView view(message);
    route::RouteSet set;
    const auto first = set.compile("FROM /* WHERE $body.a.b = 1 INTO $upstream");
    const auto second = set.compile("FROM /* WHERE $body.c[0].d = 'x' INTO $upstream");
    REQUIRE(first);
    REQUIRE(second);
    CHECK(route::matches(*first, view));
    CHECK(route::matches(*second, view));
    // Another configuration's routes see the same message, also after the view was in use.
    CHECK(route::matches(route::compile("FROM /* WHERE $body.c[0].d = 'x' INTO $upstream").value(), view));
    const auto third = set.compile("FROM /* WHERE $body.a.x = null INTO $upstream");
    REQUIRE(third);
    CHECK(route::matches(*third, view));
    CHECK(route::matches(*first, view));
}

TEST_CASE("a thousand paths are found as one is") {
    std::string text = "{";
    const auto paths = std::make_shared<BodyPaths>();
    std::vector<BodyPaths::Place> places;
    for (int n = 0; n < 1000; ++n) {
        const auto name = "n" + std::to_string(n);
        text += (n > 0 ? ",\"" : "\"") + name + "\":" + std::to_string(n);
        places.push_back(paths->add({{name, std::nullopt}}));
    }
    CHECK(paths->add({{"n7", std::nullopt}}) == places[7]);
    BodyValues values;
    values.read(text + "}", paths);
    for (int n = 0; n < 1000; ++n) CHECK(values.at(places[static_cast<std::size_t>(n)]).number == n);
}
