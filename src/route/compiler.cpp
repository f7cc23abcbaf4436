#include "route/compiler.hpp"

#include "base/encoding.hpp"
#include "route/numbers.hpp"
#include "route/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

namespace skerry::route {

namespace {
constexpr std::size_t deepest_nesting = 100;

constexpr int lowest_level = 0;

bool is_body_reference(std::string_view name) {
    constexpr std::string_view prefix = "$body.";
    return name.size() >= prefix.size() && equals_ignoring_case(name.substr(0, prefix.size()), prefix);
}
bool has_brackets(std::string_view name) { return name.find_first_of("[]") != std::string_view::npos; }
}  // namespace

Error error_at(std::string_view text, std::size_t offset, std::string_view what) {
    return {Errc::malformed, fmt::format("column {}: {}", column_of(text, offset), what)};
}

std::string describe_unexpected(const Token& token) {
    switch (token.kind) {
        case TokenKind::end: return "the text ends where a value is expected";
        case TokenKind::unterminated_string: return "this text has no closing quote";
        case TokenKind::unknown: return fmt::format("invalid symbol '{}'", token.text);
        case TokenKind::close: return "unmatched closing ')'";
        default: return fmt::format("'{}' is not expected here", token.text);
    }
}

Compiler::Compiler(std::string_view text, std::span<const Token> tokens, std::shared_ptr<BodyPaths> paths,
                   std::size_t at)
    : text_(text), tokens_(tokens), at_(at), paths_(std::move(paths)), program_(std::make_shared<Program>()) {}

Result<Condition> Compiler::compile() {
    const auto result = expression(lowest_level);
    if (!problem_.empty()) return fail(Errc::malformed, problem_);
    program_->result = result.type;
    program_->paths = paths_;
    return Condition(std::move(program_));
}

Compiler::Operand Compiler::expression(int level) {
    using enum TokenKind;
    static constexpr std::array operators{
        Operator{TokenKind::coalesce, 0, Family::coalesce, Op::coalesce},
        Operator{or_, 1, Family::logic, Op::or_boolean},
        Operator{and_, 2, Family::logic, Op::and_boolean},
        Operator{equal, 3, Family::comparison, Op::compare, Comparison::equal},
        Operator{not_equal, 3, Family::comparison, Op::compare, Comparison::not_equal},
        Operator{less, 4, Family::comparison, Op::compare, Comparison::less},
        Operator{less_equal, 4, Family::comparison, Op::compare, Comparison::less_equal},
        Operator{greater, 4, Family::comparison, Op::compare, Comparison::greater},
        Operator{greater_equal, 4, Family::comparison, Op::compare, Comparison::greater_equal},
        Operator{plus, 5, Family::arithmetic, Op::add},
        Operator{minus, 5, Family::arithmetic, Op::subtract},
        Operator{concat, 5, Family::concat, Op::call},
        Operator{times, 6, Family::arithmetic, Op::multiply},
        Operator{divide, 6, Family::arithmetic, Op::divide},
        Operator{modulo, 6, Family::arithmetic, Op::remainder},
    };
    auto left = unary();
    while (problem_.empty()) {
        const auto op = std::ranges::find(operators, peek().kind, &Operator::token);
        if (op == operators.end() || op->level < level) break;
        const auto& token = take();
        const auto right = expression(op->level + 1);
        if (problem_.empty()) left = binary(*op, token, left, right);
    }
    return left;
}

Compiler::Operand Compiler::unary() {
    if (++nesting_ > deepest_nesting) return complain(peek().offset, "the condition is nested too deeply");
    Operand out;
    if (peek().kind == TokenKind::minus) {
        const auto& token = take();
        out = unary();
        if (problem_.empty() && out.type != Type::number)
            return complain(token.offset, fmt::format("'-' needs a number, not {}", name_of(out.type)));
        emit(Op::negate);
        out.property = {};
    } else if (peek().kind == TokenKind::not_) {
        const auto& token = take();
        const auto operand = unary();
        if (problem_.empty() && operand.type != Type::boolean && operand.type != Type::any &&
            operand.type != Type::null)
            return complain(token.offset, fmt::format("NOT needs a bool, not {}{}", name_of(operand.type),
                                                      operand.property.empty() ? "" : "; compare the property first"));
        if (operand.type == Type::null) {
            pop(Op::drop);
            push_literal(Type::boolean, make_value(true));
        } else {
            emit(Op::logical_not);
        }
        out = Operand{Type::boolean, {}};
    } else {
        out = primary();
    }
    --nesting_;
    return out;
}

Compiler::Operand Compiler::primary() {
    const auto& token = take();
    switch (token.kind) {
        case TokenKind::open: return in_parentheses();
        case TokenKind::identifier:
            if (peek().kind == TokenKind::open) return function_call(token);
            push(Op::property, add_name(token.text));
            return {Type::text, token.text};
        case TokenKind::system_property: return dollar_name(token);
        case TokenKind::open_brace: return braced_name();
        case TokenKind::string:
        case TokenKind::integer:
        case TokenKind::hex:
        case TokenKind::real:
        case TokenKind::true_:
        case TokenKind::false_:
        case TokenKind::null:
        case TokenKind::undefined: return literal(token);
        default: return unexpected(token);
    }
}

Compiler::Operand Compiler::in_parentheses() {
    auto out = expression(lowest_level);
    expect(TokenKind::close, "missing closing ')'");
    return out;
}

Compiler::Operand Compiler::literal(const Token& token) {
    // What .NET can't read as a number (a lone "e5") is undefined there.
    const auto number = [&](std::optional<double> value) {
        return value ? push_literal(Type::number, make_value(*value))
                     : push_literal(Type::undefined, undefined_value());
    };
    switch (token.kind) {
        case TokenKind::string: return push_text(unescape(token.text.substr(1, token.text.size() - 2)));
        case TokenKind::integer:
        case TokenKind::real: return number(parse_number(token.text));
        case TokenKind::hex: return number(parse_hex(token.text));
        case TokenKind::true_: return push_literal(Type::boolean, make_value(true));
        case TokenKind::false_: return push_literal(Type::boolean, make_value(false));
        case TokenKind::null: return push_literal(Type::null, null_value());
        default: return push_literal(Type::undefined, undefined_value());
    }
}

Compiler::Operand Compiler::body_value(const Token& token, Op op, std::string_view property) {
    constexpr std::string_view prefix = "$body.";
    auto path = parse_body_path(token.text.substr(prefix.size()));
    if (!path) return complain(token.offset, path.error().text);
    const auto place = paths_->add(*path);
    if (op == Op::body)
        push(op, place);
    else
        push(op, add_name(property), place);
    return {Type::any, {}};
}

// An application property of that very name wins over the body and the system property.
Compiler::Operand Compiler::dollar_name(const Token& token) {
    if (is_body_reference(token.text))
        return body_value(token, has_brackets(token.text) ? Op::body : Op::property_or_body, token.text);
    if (has_brackets(token.text)) return push_literal(Type::undefined, undefined_value());
    push(Op::property_or_system, add_name(token.text));
    return {Type::text, token.text};
}

Compiler::Operand Compiler::braced_name() {
    const auto& token = take();
    if (token.kind != TokenKind::system_property) return complain(token.offset, "after '{' a $name is expected");
    Operand out{Type::text, token.text};
    if (is_body_reference(token.text))
        out = body_value(token, Op::body, {});
    else if (has_brackets(token.text))
        out = push_literal(Type::undefined, undefined_value());
    else
        push(Op::system, add_name(token.text.substr(1)));
    expect(TokenKind::close_brace, "missing closing '}'");
    return out;
}

Compiler::Operand Compiler::function_call(const Token& name) {
    take();  // the parenthesis
    std::vector<Type> types;
    bool more = peek().kind != TokenKind::close;
    while (more && problem_.empty()) {
        types.push_back(expression(lowest_level).type);
        more = peek().kind == TokenKind::comma;
        if (more) take();
    }
    if (!expect(TokenKind::close, "missing closing ')'")) return {};
    std::string problem;
    const auto resolved = resolve(name.text, types, problem);
    if (!resolved)
        return complain(name.offset, problem.empty() ? fmt::format("there is no function '{}'", name.text) : problem);
    for (std::size_t i = 0; i < types.size(); ++i)
        if (types[i] != Type::any) emit(Op::to_any, types.size() - 1 - i);
    emit(Op::call, types.size(), static_cast<std::size_t>(resolved->function));
    stack_ -= types.size() - 1;
    return {resolved->result, {}};
}

bool Compiler::expect(TokenKind kind, std::string_view what) {
    if (!problem_.empty()) return false;
    if (peek().kind == kind) {
        take();
        return true;
    }
    // A token that can be nowhere says more than the parenthesis that it is not.
    const bool telling = peek().kind == TokenKind::unknown || peek().kind == TokenKind::unterminated_string;
    complain(peek().offset, telling ? describe_unexpected(peek()) : std::string(what));
    return false;
}

Compiler::Operand Compiler::complain(std::size_t offset, std::string what) {
    if (problem_.empty()) problem_ = error_at(text_, offset, what).text;
    return {};
}

Compiler::Operand Compiler::unexpected(const Token& token) {
    return complain(token.offset, describe_unexpected(token));
}

void Compiler::emit(Op op, std::size_t operand, std::size_t extra) {
    program_->code.push_back({op, static_cast<std::uint32_t>(operand), static_cast<std::uint32_t>(extra)});
}

void Compiler::push(Op op, std::size_t operand, std::size_t extra) {
    emit(op, operand, extra);
    if (++stack_ > deepest_stack) complain(peek().offset, "the condition needs too many values at once");
}

void Compiler::pop(Op op, std::size_t extra) {
    emit(op, 0, extra);
    --stack_;
}

Compiler::Operand Compiler::push_literal(Type type, Value value) {
    program_->literals.push_back(value);
    push(Op::literal, program_->literals.size() - 1);
    return {type, {}};
}

Compiler::Operand Compiler::push_text(std::string text) {
    program_->texts.push_back(std::move(text));
    return push_literal(Type::text, make_value(std::string_view(program_->texts.back())));
}

std::size_t Compiler::add_name(std::string_view name) {
    auto& names = program_->names;
    const auto known = std::ranges::find(names, name);
    if (known != names.end()) return static_cast<std::size_t>(known - names.begin());
    names.emplace_back(name);
    return names.size() - 1;
}

}  // namespace skerry::route
