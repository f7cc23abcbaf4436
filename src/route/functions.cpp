#include "route/functions.hpp"

#include "base/encoding.hpp"
#include "route/numbers.hpp"
#include "route/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace skerry::route {

namespace {
using Kind = Value::Kind;

// Parameters as letters: t text, n number; a body value fits everywhere. '+' repeats the last one.
struct Signature {
    std::string_view name;
    std::string_view parameters;
    Function function;
    Type result;
};

constexpr std::array signatures{
    Signature{"abs", "n", Function::abs, Type::number},
    Signature{"ceiling", "n", Function::ceiling, Type::number},
    Signature{"exp", "n", Function::exp, Type::number},
    Signature{"floor", "n", Function::floor, Type::number},
    Signature{"sign", "n", Function::sign, Type::number},
    Signature{"sqrt", "n", Function::sqrt, Type::number},
    Signature{"square", "n", Function::square, Type::number},
    Signature{"power", "nn", Function::power, Type::number},
    Signature{"as_number", "t", Function::as_number, Type::number},
    Signature{"concat", "tt+", Function::concat, Type::text},
    Signature{"length", "t", Function::length, Type::number},
    Signature{"lower", "t", Function::lower, Type::text},
    Signature{"upper", "t", Function::upper, Type::text},
    Signature{"substring", "tn", Function::substring, Type::text},
    Signature{"substring", "tnn", Function::substring, Type::text},
    Signature{"index_of", "tt", Function::index_of, Type::number},
    Signature{"starts_with", "tt", Function::starts_with, Type::boolean},
    Signature{"ends_with", "tt", Function::ends_with, Type::boolean},
    Signature{"contains", "tt", Function::contains, Type::boolean},
};

bool fits(std::string_view parameters, std::span<const Type> arguments) {
    const bool repeats = parameters.ends_with('+');
    if (repeats) parameters.remove_suffix(1);
    if (repeats ? arguments.size() < parameters.size() : arguments.size() != parameters.size()) return false;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const char wanted = parameters[std::min(i, parameters.size() - 1)];
        if (arguments[i] != Type::any && arguments[i] != (wanted == 't' ? Type::text : Type::number)) return false;
    }
    return true;
}

std::string describe(std::string_view parameters) {
    std::string out;
    for (const char c : parameters) {
        if (c == '+') return out + ", …";
        out += fmt::format("{}{}", out.empty() ? "" : ", ", c == 't' ? "text" : "number");
    }
    return out;
}

// The is_…() functions take anything; for most types the answer is known at once.
std::optional<Resolved> resolve_test(std::string_view name, std::span<const Type> arguments, std::string& problem) {
    constexpr std::array names{"is_bool", "is_number", "is_string", "is_defined", "is_null"};
    const auto known =
        std::ranges::find_if(names, [&](const char* known) { return equals_ignoring_case(name, known); });
    if (known == names.end()) return std::nullopt;
    const std::string_view test = *known;
    if (arguments.size() != 1) {
        problem = fmt::format("{}() takes one argument", test);
        return std::nullopt;
    }
    const auto type = arguments[0];
    const auto when = [&](Type wanted, Function function) {
        return Resolved{type == wanted || type == Type::any ? function : Function::always_false, Type::boolean};
    };
    if (test == "is_bool") return when(Type::boolean, Function::is_bool);
    if (test == "is_number") return when(Type::number, Function::is_number);
    if (test == "is_string") return when(Type::text, Function::is_string);
    if (test == "is_defined") return Resolved{Function::is_defined, Type::boolean};
    if (type == Type::null) return Resolved{Function::always_true, Type::boolean};
    if (type == Type::any) return Resolved{Function::is_null_any, Type::boolean};
    return when(Type::text, Function::is_null_text);
}

Value undefined_number() { return make_value(std::numeric_limits<double>::quiet_NaN()); }

Value keep(std::string text, Scratch& scratch) {
    scratch.push_back(std::move(text));
    return make_value(std::string_view(scratch.back()));
}

bool all(std::span<const Value> arguments, Kind kind) {
    return std::ranges::all_of(arguments, [kind](const Value& value) { return value.kind == kind; });
}

Value arithmetic(Function function, std::span<const Value> arguments) {
    if (!all(arguments, Kind::number)) return undefined_number();
    const double x = arguments[0].number;
    switch (function) {
        case Function::abs: return make_value(std::fabs(x));
        case Function::ceiling: return make_value(std::ceil(x));
        case Function::exp: return make_value(std::exp(x));
        case Function::floor: return make_value(std::floor(x));
        case Function::sign: return std::isnan(x) ? undefined_number() : make_value(x > 0 ? 1.0 : x < 0 ? -1.0 : 0.0);
        case Function::sqrt: return make_value(std::sqrt(x));
        case Function::square: return make_value(x * x);
        case Function::power: return make_value(std::pow(x, arguments[1].number));
        default: return undefined_number();
    }
}

Value as_number(const Value& value) {
    if (value.kind == Kind::number) return value;
    const auto number = value.kind == Kind::text ? parse_number(value.text) : std::nullopt;
    return number ? make_value(*number) : undefined_number();
}

Value concat(std::span<const Value> arguments, Scratch& scratch) {
    std::string out;
    for (const auto& value : arguments) {
        if (value.kind != Kind::text && value.kind != Kind::null_text) return undefined_value();
        out += value.text;  // of a key-only property: empty
    }
    return keep(std::move(out), scratch);
}

// Fractions are cut off; what lies outside of the text is undefined.
Value substring(std::span<const Value> arguments, Scratch& scratch) {
    if (arguments[0].kind != Kind::text || !all(arguments.subspan(1), Kind::number)) return undefined_value();
    const auto text = arguments[0].text;
    const auto total = static_cast<double>(length_in_utf16(text));
    const double start = arguments[1].number;
    const double count = arguments.size() == 3 ? arguments[2].number : total - std::trunc(start);
    if (!(start >= 0) || !(start <= total) || !(count >= 0)) return undefined_value();
    if (arguments.size() == 3 && (!(start < total) || !(count <= total - start))) return undefined_value();
    const auto first = static_cast<std::size_t>(start);
    const auto units = static_cast<std::size_t>(count);
    const auto from = byte_offset(text, first);
    const auto to = byte_offset(text, first + units);
    if (from != std::string_view::npos && to != std::string_view::npos) return make_value(text.substr(from, to - from));
    const auto wide = to_utf16(text);  // a cut within a surrogate pair
    if (first + units > wide.size()) return undefined_value();
    return keep(to_utf8(std::u16string_view(wide).substr(first, units)), scratch);
}

Value search(Function function, std::span<const Value> arguments) {
    const bool defined = all(arguments, Kind::text);
    if (function == Function::index_of) {
        if (!defined) return undefined_number();
        const auto at = arguments[0].text.find(arguments[1].text);
        if (at == std::string_view::npos) return make_value(-1.0);
        return make_value(static_cast<double>(length_in_utf16(arguments[0].text.substr(0, at))));
    }
    if (!defined) return undefined_value();
    const auto [text, part] = std::pair(arguments[0].text, arguments[1].text);
    if (function == Function::starts_with) return make_value(text.starts_with(part));
    if (function == Function::ends_with) return make_value(text.ends_with(part));
    return make_value(text.find(part) != std::string_view::npos);
}

Value test(Function function, const Value& value) {
    switch (function) {
        case Function::is_bool:
            return value.kind == Kind::undefined ? undefined_value() : make_value(value.kind == Kind::boolean);
        case Function::is_number: return make_value(value.kind == Kind::number && std::isfinite(value.number));
        case Function::is_string: return make_value(value.kind == Kind::text);
        case Function::is_defined: return make_value(value.kind != Kind::undefined);
        case Function::is_null_text: return make_value(value.kind == Kind::null_text);
        // Surprising, and what the existing hub does: yes for everything the body has, no for a path that leads
        // nowhere.
        case Function::is_null_any:
            return value.kind == Kind::undefined ? undefined_value() : make_value(value.kind != Kind::missing);
        case Function::always_true: return make_value(true);
        default: return make_value(false);
    }
}
}  // namespace

std::string_view name_of(Type type) {
    switch (type) {
        case Type::text: return "text";
        case Type::number: return "number";
        case Type::boolean: return "bool";
        case Type::null: return "null";
        case Type::undefined: return "undefined";
        case Type::any: return "body value";
    }
    return "unknown";
}

std::optional<Resolved> resolve(std::string_view name, std::span<const Type> arguments, std::string& problem) {
    if (auto test = resolve_test(name, arguments, problem); test || !problem.empty()) return test;
    if (equals_ignoring_case(name, "twin_change_includes")) {
        problem = "twin_change_includes() is for routes in the cloud; an edge hub has no such source";
        return std::nullopt;
    }
    if (equals_ignoring_case(name, "as_number") && arguments.size() == 1 && arguments[0] == Type::number)
        return Resolved{Function::same, Type::number};
    std::string expected;
    for (const auto& signature : signatures) {
        if (!equals_ignoring_case(name, signature.name)) continue;
        if (fits(signature.parameters, arguments)) return Resolved{signature.function, signature.result};
        expected +=
            fmt::format("{}{}({})", expected.empty() ? "" : " or ", signature.name, describe(signature.parameters));
    }
    if (expected.empty()) return std::nullopt;
    std::string given;
    for (const auto type : arguments) given += fmt::format("{}{}", given.empty() ? "" : ", ", name_of(type));
    problem = fmt::format("{}({}) does not fit; write {}", to_lower(name), given, expected);
    return std::nullopt;
}

Value call(Function function, std::span<const Value> arguments, Scratch& scratch) {
    switch (function) {
        case Function::abs:
        case Function::ceiling:
        case Function::exp:
        case Function::floor:
        case Function::sign:
        case Function::sqrt:
        case Function::square:
        case Function::power: return arithmetic(function, arguments);
        case Function::as_number: return as_number(arguments[0]);
        case Function::same: return arguments[0].kind == Kind::number ? arguments[0] : undefined_number();
        case Function::concat: return concat(arguments, scratch);
        case Function::length:
            if (arguments[0].kind != Kind::text) return undefined_number();
            return make_value(static_cast<double>(length_in_utf16(arguments[0].text)));
        case Function::lower:
        case Function::upper: {
            if (arguments[0].kind != Kind::text) return undefined_value();
            const auto convert = function == Function::lower ? to_lower_invariant : to_upper_invariant;
            return keep(convert(arguments[0].text), scratch);
        }
        case Function::substring: return substring(arguments, scratch);
        case Function::index_of:
        case Function::starts_with:
        case Function::ends_with:
        case Function::contains: return search(function, arguments);
        case Function::is_bool:
        case Function::is_number:
        case Function::is_string:
        case Function::is_defined:
        case Function::is_null_text:
        case Function::is_null_any:
        case Function::always_false:
        case Function::always_true: return test(function, arguments[0]);
    }
    return undefined_value();
}

}  // namespace skerry::route
