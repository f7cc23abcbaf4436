// Conditions as trees: a tree, written down, must compile to what the tree means. The printer is the test's own: the
// hub never writes a condition.
#include "route/route.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <rapidcheck.h>

#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

using namespace skerry;

namespace {
class Choices {
public:
    explicit Choices(std::vector<int> bytes) : bytes_(std::move(bytes)) {}
    std::size_t below(std::size_t bound) {
        return at_ < bytes_.size() ? static_cast<std::size_t>(bytes_[at_++]) % bound : 0;
    }

private:
    std::vector<int> bytes_;
    std::size_t at_{0};
};

// Texts, numbers and bools that may be undefined: what a condition computes with.
struct Undefined {};
using Outcome = std::variant<Undefined, bool, double, std::string>;

enum class Kind { text, number, boolean };

// An operator or function over its operands, or a leaf: `word` is how it is written.
struct Node {
    enum class Shape { leaf, binary, prefix, function };
    Shape shape;
    Kind kind;
    std::string word;
    Outcome value;  // of a leaf
    std::vector<Node> operands;
};

const std::map<std::string, int, std::less<>> levels{{"??", 0}, {"or", 1}, {"and", 2}, {"=", 3},  {"!=", 3}, {"<>", 3},
                                                     {"<", 4},  {"<=", 4}, {">", 4},   {">=", 4}, {"+", 5},  {"-", 5},
                                                     {"||", 5}, {"*", 6},  {"/", 6},   {"%", 6}};
constexpr int tightest = 7;

const model::Message& message() {
    static const model::Message made = [] {
        model::Message out;
        out.properties = {{"text", "Nord"}, {"number", "21.5"}, {"empty", ""}};
        out.system = {{"messageId", "m-1"}};
        return out;
    }();
    return made;
}

class Planter {
public:
    explicit Planter(Choices& choices) : choices_(choices) {}

    Node grow(Kind kind, int depth) {
        if (depth == 0 || choices_.below(6) == 0) return leaf(kind);
        if (choices_.below(8) == 0) return binary(kind, "??", kind, depth);
        switch (kind) {
            case Kind::text: return text(depth);
            case Kind::number: return number(depth);
            case Kind::boolean: return boolean(depth);
        }
        return leaf(kind);
    }

private:
    Node leaf(Kind kind) {
        const auto make = [&](std::string word, Outcome value) {
            return Node{Node::Shape::leaf, kind, std::move(word), std::move(value), {}};
        };
        const auto choice = choices_.below(5);
        if (kind == Kind::boolean) return choice % 2 == 0 ? make("true", true) : make("false", false);
        if (kind == Kind::number) {
            constexpr std::array<std::pair<std::string_view, double>, 5> numbers{
                {{"0", 0}, {"3", 3}, {"-2", -2}, {"0x1F", 31}, {"1.5e1", 15}}};
            return make(std::string(numbers[choice].first), numbers[choice].second);
        }
        switch (choice) {
            case 0: return make("TEXT", std::string("Nord"));
            case 1: return make("absent", Undefined{});
            case 2: return make("$messageid", std::string("m-1"));
            case 3: return make("'it\\'s \\u00e4'", std::string("it's ä"));
            default: return make("\"\"", std::string());
        }
    }

    Node binary(Kind kind, std::string word, Kind operands, int depth) {
        auto left = grow(operands, depth - 1);
        auto right = grow(operands, depth - 1);
        return {Node::Shape::binary, kind, std::move(word), {}, {std::move(left), std::move(right)}};
    }

    Node over(Node::Shape shape, Kind kind, std::string word, Kind operand, int depth) {
        return {shape, kind, std::move(word), {}, {grow(operand, depth - 1)}};
    }

    Node text(int depth) {
        if (choices_.below(3) > 0) return binary(Kind::text, "||", Kind::text, depth);
        return over(Node::Shape::function, Kind::text, choices_.below(2) == 0 ? "lower" : "upper", Kind::text, depth);
    }

    Node number(int depth) {
        constexpr std::array<std::string_view, 5> operators{"+", "-", "*", "/", "%"};
        const auto choice = choices_.below(8);
        if (choice < operators.size()) return binary(Kind::number, std::string(operators[choice]), Kind::number, depth);
        if (choice == 5) return over(Node::Shape::prefix, Kind::number, "-", Kind::number, depth);
        return over(Node::Shape::function, Kind::number, choice == 6 ? "length" : "abs",
                    choice == 6 ? Kind::text : Kind::number, depth);
    }

    Node boolean(int depth) {
        constexpr std::array<std::string_view, 7> comparisons{"=", "!=", "<>", "<", "<=", ">", ">="};
        const auto choice = choices_.below(12);
        if (choice < comparisons.size()) {
            const auto operands = std::array{Kind::text, Kind::number, Kind::boolean}[choices_.below(3)];
            return binary(Kind::boolean, std::string(comparisons[choice]), operands, depth);
        }
        if (choice == 7) return over(Node::Shape::prefix, Kind::boolean, "not", Kind::boolean, depth);
        if (choice == 8) return over(Node::Shape::function, Kind::boolean, "is_defined", Kind::text, depth);
        return binary(Kind::boolean, choice % 2 == 0 ? "and" : "or", Kind::boolean, depth);
    }

    Choices& choices_;
};

// Only the parentheses that are needed, now and then one more; words in any case.
class Printer {
public:
    explicit Printer(Choices& choices, bool comments = true) : choices_(choices), comments_(comments) {}

    std::string print(const Node& node, int at_least = 0) {
        const int level = node.shape == Node::Shape::binary ? levels.at(node.word) : tightest;
        auto out = plain(node, level);
        if (level < at_least || choices_.below(12) == 0) return "(" + blank() + out + blank() + ")";
        return out;
    }

private:
    std::string plain(const Node& node, int level) {
        switch (node.shape) {
            case Node::Shape::leaf: return node.word;
            case Node::Shape::prefix: return any_case(node.word) + " " + print(node.operands[0], tightest);
            case Node::Shape::function:
                return any_case(node.word) + blank() + "(" + print(node.operands[0]) + blank() + ")";
            case Node::Shape::binary: break;
        }
        auto left = print(node.operands[0], level);
        return left + " " + any_case(node.word) + blank() + " " + print(node.operands[1], level + 1);
    }

    std::string any_case(std::string word) {
        if (choices_.below(2) == 0)
            for (auto& c : word) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        return word;
    }

    std::string blank() {
        constexpr std::array<std::string_view, 5> blanks{"", "", " ", "\n\t", " /* and ) */ "};
        return std::string(blanks[choices_.below(comments_ ? blanks.size() : blanks.size() - 1)]);
    }

    Choices& choices_;
    bool comments_;
};

template <class T>
const T* defined(const Outcome& outcome) {
    return std::get_if<T>(&outcome);
}
Outcome number_or_undefined(double value) { return std::isnan(value) ? Outcome(Undefined{}) : Outcome(value); }

template <class T>
bool compare(std::string_view word, const T& a, const T& b) {
    return word == "="    ? a == b
           : word == "<"  ? a < b
           : word == "<=" ? a <= b
           : word == ">"  ? a > b
           : word == ">=" ? a >= b
                          : a != b;
}

Outcome calculate(std::string_view word, double a, double b) {
    switch (word[0]) {
        case '+': return number_or_undefined(a + b);
        case '-': return number_or_undefined(a - b);
        case '*': return number_or_undefined(a * b);
        case '/': return number_or_undefined(a / b);
        default: return number_or_undefined(std::fmod(a, b));
    }
}

Outcome logic(std::string_view word, const Outcome& a, const Outcome& b) {
    const bool decides = word == "or";
    for (const auto* side : {&a, &b})
        if (const auto* truth = defined<bool>(*side); truth != nullptr && *truth == decides) return decides;
    return defined<bool>(a) != nullptr && defined<bool>(b) != nullptr ? Outcome(!decides) : Outcome(Undefined{});
}

std::string with_case(std::string text, bool upper) {
    for (auto& c : text) {
        if (upper && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
        if (!upper && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    for (std::size_t at = 0; at + 1 < text.size(); ++at)  // the only other letter there is
        if (text[at] == '\xc3') text[at + 1] = upper ? '\x84' : '\xa4';
    return text;
}

Outcome evaluate(const Node& node);

Outcome evaluate_one(const Node& node) {
    const auto operand = evaluate(node.operands[0]);
    if (node.word == "is_defined") return !std::holds_alternative<Undefined>(operand);
    if (const auto* truth = defined<bool>(operand)) return !*truth;
    if (const auto* number = defined<double>(operand)) return node.word == "-" ? -*number : std::fabs(*number);
    if (const auto* text = defined<std::string>(operand)) {
        if (node.word != "length") return with_case(*text, node.word == "upper");
        double units = 0;
        for (const char c : *text) units += (c & 0xc0) != 0x80 ? 1 : 0;
        return units;
    }
    return Undefined{};
}

Outcome evaluate(const Node& node) {
    if (node.shape == Node::Shape::leaf) return node.value;
    if (node.shape != Node::Shape::binary) return evaluate_one(node);
    const auto a = evaluate(node.operands[0]);
    const auto b = evaluate(node.operands[1]);
    if (node.word == "??") return std::holds_alternative<Undefined>(a) ? b : a;
    if (node.word == "and" || node.word == "or") return logic(node.word, a, b);
    if (std::holds_alternative<Undefined>(a) || std::holds_alternative<Undefined>(b)) return Undefined{};
    if (node.kind == Kind::number) return calculate(node.word, std::get<double>(a), std::get<double>(b));
    if (node.kind == Kind::text) return std::get<std::string>(a) + std::get<std::string>(b);
    if (const auto* text = defined<std::string>(a)) return compare(node.word, *text, std::get<std::string>(b));
    if (const auto* number = defined<double>(a)) return compare(node.word, *number, std::get<double>(b));
    return compare(node.word, std::get<bool>(a), std::get<bool>(b));
}

std::vector<int> any_choices() { return *rc::gen::container<std::vector<int>>(150, rc::gen::inRange(0, 256)); }
}  // namespace

TEST_CASE("a condition means what the tree means that it was written from") {
    std::map<route::Truth, std::size_t> seen;
    CHECK(rc::check("compile(print(tree)) == tree", [&] {
        Choices choices(any_choices());
        const auto tree = Planter(choices).grow(Kind::boolean, 5);
        const auto text = Printer(choices).print(tree);
        RC_LOG() << text << '\n';
        const auto condition = route::Condition::compile(text);
        RC_ASSERT(condition.has_value());
        const auto expected = evaluate(tree);
        const auto* truth = defined<bool>(expected);
        const auto wanted = truth == nullptr ? route::Truth::undefined : *truth ? route::Truth::yes : route::Truth::no;
        const auto given = condition->evaluate(route::MessageView(message()));
        RC_ASSERT(given == wanted);
        ++seen[given];
    }));
    CHECK(seen.size() == 3);  // else it would say little
}

TEST_CASE("any source, condition and sink make a route that is read back as they were") {
    const auto name = rc::gen::map(rc::gen::container<std::string>(rc::gen::element('a', 'Z', '-', '_', '7', '.')),
                                   [](const std::string& rest) { return "m" + rest; });
    CHECK(rc::check("compile(print(route))", [&] {
        Choices choices(any_choices());
        const auto module = *name;
        const auto output = *name;
        const auto target = *name;
        const bool upstream = choices.below(3) == 0;
        const auto tree = Planter(choices).grow(Kind::boolean, 3);
        // The end of a comment would make one of everything since the "/*" of the source (edge-hub.md 4.2).
        const auto condition = Printer(choices, false).print(tree);
        const auto text = fmt::format(
            "{}FROM /messages/modules/{}/outputs/{}{} WHERE {} INTO {}", choices.below(2) == 0 ? "" : "select * ",
            module, output, choices.below(2) == 0 ? "" : "/*", condition,
            upstream ? std::string("$upstream") : fmt::format("BrokeredEndpoint(\"/modules/{}/inputs/in\")", target));
        RC_LOG() << text << '\n';
        const auto compiled = route::compile(text);
        RC_ASSERT(compiled.has_value());
        RC_ASSERT(compiled->source == fmt::format("/messages/modules/{}/outputs/{}/", module, output));
        const auto sink = upstream ? route::Endpoint(route::Upstream{}) : route::ModuleInput{target, "in"};
        RC_ASSERT(compiled->endpoint == sink);
        const auto meaning = evaluate(tree);
        const bool holds = std::get_if<bool>(&meaning) != nullptr && std::get<bool>(meaning);
        RC_ASSERT((compiled->condition.evaluate(route::MessageView(message())) == route::Truth::yes) == holds);
        auto sent = message();
        sent.set_system_property("connectionModuleId", module);
        sent.set_system_property("outputName", output);
        RC_ASSERT(route::matches(*compiled, route::MessageView(sent)) == holds);
        RC_ASSERT_FALSE(route::matches(*compiled, route::MessageView(message())));
    }));
}

TEST_CASE("any text compiles to a condition that can be evaluated, or to an error with a column") {
    const auto piece = rc::gen::element<std::string>(
        "a", "$a", "$body.a", "{$b}", "'x'", "\"", "7", "-", "+", " ", "(", ")", "AND", " or ", "NOT ", "=", "<>", "??",
        ",", "as_number(", "concat(", "null", "undefined", "true", "||", "[0]", "\\u00e4", "ü", "/*", "*/", "%");
    CHECK(rc::check("compile(any text)", [&] {
        std::string text;
        for (const auto& part : *rc::gen::container<std::vector<std::string>>(piece)) text += part;
        const auto condition = route::Condition::compile(text);
        if (!condition) {
            RC_ASSERT(condition.error().text.starts_with("column "));
            return;
        }
        const auto once = condition->evaluate(route::MessageView(message()));
        RC_ASSERT(once == condition->evaluate(route::MessageView(message())));
    }));
}
