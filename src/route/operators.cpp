// Which operators take which types, and what they give (edge-hub.md 4.4).
#include "route/compiler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace skerry::route {

namespace {
// What a body value may be combined with.
bool goes_with_any(Type type) { return type != Type::undefined; }

std::string advice(std::string_view property, Type other) {
    switch (other) {
        case Type::number: return fmt::format("a number; use as_number({})", property);
        case Type::boolean: return "a bool; put true or false in quotes";
        case Type::null: return fmt::format("null; use is_null({})", property);
        case Type::undefined: return fmt::format("undefined; use is_defined({})", property);
        case Type::text:
        case Type::any: break;
    }
    return "something else";
}
}  // namespace

Compiler::Operand Compiler::binary(const Operator& op, const Token& token, const Operand& left, const Operand& right) {
    switch (op.family) {
        case Family::coalesce: return coalesce(token, left, right);
        case Family::logic: return logic(op, token, left, right);
        case Family::comparison: return comparison(op, token, left, right);
        case Family::arithmetic: return arithmetic(op, token, left, right);
        case Family::concat: return concatenation(token, left, right);
    }
    return {};
}

void Compiler::to_any(const Operand& left, const Operand& right) {
    if (left.type != Type::any) emit(Op::to_any, 1);
    if (right.type != Type::any) emit(Op::to_any, 0);
}

Compiler::Operand Compiler::mismatch(const Token& token, const Operand& left, const Operand& right) {
    for (const auto& [property, other] : {std::pair(left, right), std::pair(right, left)}) {
        if (property.property.empty()) continue;
        const auto kind = property.property.starts_with('$') ? "property" : "application property";
        return complain(token.offset,
                        fmt::format("{} '{}' is text and '{}' combines it with {}", kind, property.property, token.text,
                                    advice(property.property, other.type)));
    }
    return complain(token.offset,
                    fmt::format("'{}' can't combine {} with {}", token.text, name_of(left.type), name_of(right.type)));
}

Compiler::Operand Compiler::arithmetic(const Operator& op, const Token& token, const Operand& left,
                                       const Operand& right) {
    const auto calculates = [](Type type) { return type == Type::number || type == Type::any; };
    if (!calculates(left.type) || !calculates(right.type)) {
        if (left.type == right.type && left.type == Type::text && !left.property.empty())
            return complain(token.offset, fmt::format("application property '{}' is text; use as_number({})",
                                                      left.property, left.property));
        return mismatch(token, left, right);
    }
    const bool any = left.type == Type::any || right.type == Type::any;
    if (any && op.op == Op::remainder)
        return complain(token.offset, "'%' does not work on body values; use as_number() on them");
    if (any) to_any(left, right);
    pop(op.op);
    return {any ? Type::any : Type::number, {}};
}

Compiler::Operand Compiler::comparison(const Operator& op, const Token& token, const Operand& left,
                                       const Operand& right) {
    const bool any = left.type == Type::any || right.type == Type::any;
    const bool fits = any ? goes_with_any(left.type) && goes_with_any(right.type) : left.type == right.type;
    if (!fits) return mismatch(token, left, right);
    if (any) to_any(left, right);
    pop(any ? Op::compare_any : Op::compare, static_cast<std::size_t>(op.comparison));
    return {Type::boolean, {}};
}

Compiler::Operand Compiler::logic(const Operator& op, const Token& token, const Operand& left, const Operand& right) {
    const auto is_logical = [](Type type) {
        return type == Type::boolean || type == Type::null || type == Type::undefined;
    };
    const bool is_and = op.op == Op::and_boolean;
    if (left.type == Type::any) {
        // The right side may be anything here; what is no bool gives undefined.
        if (is_and && right.type == Type::null) return mismatch(token, left, right);
        to_any(left, right);
        pop(is_and ? Op::and_any : Op::or_any);
        return {Type::boolean, {}};
    }
    if (is_logical(left.type) && right.type == Type::any)
        return complain(token.offset,
                        fmt::format("a body value can't stand to the right of {} here; write it first, or "
                                    "compare it (… = true)",
                                    token.text));
    if (!is_logical(left.type) || !is_logical(right.type)) {
        const auto& wrong = is_logical(left.type) ? right : left;
        const auto what = wrong.property.empty() ? std::string(name_of(wrong.type))
                                                 : fmt::format("the text of property '{}'; compare it", wrong.property);
        return complain(token.offset, fmt::format("{} needs a bool on both sides, not {}", token.text, what));
    }
    if (left.type == Type::null || right.type == Type::null) {
        if (left.type == Type::undefined || right.type == Type::undefined) return mismatch(token, left, right);
        return logic_with_null(op, left, right);
    }
    pop(op.op);
    return {Type::boolean, {}};
}

// null AND x is null, null OR x is x.
Compiler::Operand Compiler::logic_with_null(const Operator& op, const Operand& left, const Operand& right) {
    if (op.op == Op::or_boolean) {
        pop(left.type == Type::null ? Op::drop_second : Op::drop);
        return {left.type == Type::null ? right.type : left.type, {}};
    }
    pop(Op::drop);
    pop(Op::drop);
    return push_literal(Type::null, null_value());
}

Compiler::Operand Compiler::coalesce(const Token& token, const Operand& left, const Operand& right) {
    const bool any = left.type == Type::any || right.type == Type::any;
    const bool fits = any ? goes_with_any(left.type) && goes_with_any(right.type) : left.type == right.type;
    if (!fits) return mismatch(token, left, right);
    if (any) to_any(left, right);
    pop(Op::coalesce, any ? 1 : 0);
    return {any ? Type::any : left.type, {}};
}

Compiler::Operand Compiler::concatenation(const Token& token, const Operand& left, const Operand& right) {
    const auto is_text = [](Type type) { return type == Type::text || type == Type::any; };
    if (!is_text(left.type) || !is_text(right.type))
        return complain(token.offset,
                        fmt::format("'||' joins texts, not {} and {}", name_of(left.type), name_of(right.type)));
    to_any(left, right);
    emit(Op::call, 2, static_cast<std::size_t>(Function::concat));
    --stack_;
    return {Type::text, {}};
}

}  // namespace skerry::route
