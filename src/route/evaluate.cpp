#include "base/encoding.hpp"
#include "route/program.hpp"
#include "route/text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>

namespace skerry::route {

namespace {
using Kind = Value::Kind;

Value value_of(const model::Property& property) {
    return property.value ? make_value(*property.value) : null_text_value();
}

bool holds(Comparison comparison, int order) {
    switch (comparison) {
        case Comparison::equal: return order == 0;
        case Comparison::not_equal: return order != 0;
        case Comparison::less: return order < 0;
        case Comparison::less_equal: return order <= 0;
        case Comparison::greater: return order > 0;
        case Comparison::greater_equal: return order >= 0;
    }
    return false;
}

int order_of(std::string_view a, std::string_view b) {
    const auto order = compare_ordinal(a, b);
    return order < 0 ? -1 : order > 0 ? 1 : 0;
}

Value compare_texts(Comparison comparison, std::string_view a, std::string_view b) {
    // Nearly all conditions ask only this, and it needs no order.
    if (comparison == Comparison::equal) return make_value(a == b);
    if (comparison == Comparison::not_equal) return make_value(a != b);
    return make_value(holds(comparison, order_of(a, b)));
}

// NaN equals itself and is less than every other number; it gets here from calculations with body values only.
int order_of(double a, double b) {
    if (std::isnan(a) || std::isnan(b)) return static_cast<int>(std::isnan(b)) - static_cast<int>(std::isnan(a));
    return a < b ? -1 : a > b ? 1 : 0;
}

// Same kind on both sides, known from the types; undefined and key-only properties compare as undefined.
Value compare(Comparison comparison, const Value& a, const Value& b) {
    if (a.kind != b.kind) return undefined_value();
    switch (a.kind) {
        case Kind::text: return compare_texts(comparison, a.text, b.text);
        case Kind::number:
            if (std::isnan(a.number) || std::isnan(b.number)) return undefined_value();
            return make_value(holds(comparison, order_of(a.number, b.number)));
        case Kind::boolean: return make_value(holds(comparison, static_cast<int>(a.truth) - static_cast<int>(b.truth)));
        case Kind::null: return make_value(holds(comparison, 0));
        case Kind::null_text:
        case Kind::missing:
        case Kind::undefined: break;
    }
    return undefined_value();
}

// Values of different kinds have an order, too: bool, number, text, null.
int rank(Kind kind) {
    switch (kind) {
        case Kind::undefined: return 0;
        case Kind::boolean: return 1;
        case Kind::number: return 2;
        case Kind::text:
        case Kind::null_text: return 3;
        case Kind::null:
        case Kind::missing: return 4;
    }
    return 0;
}

Value compare_any(Comparison comparison, const Value& a, const Value& b) {
    if (a.kind == Kind::undefined || b.kind == Kind::undefined) return undefined_value();
    int order = rank(a.kind) - rank(b.kind);
    if (order == 0) {
        switch (rank(a.kind)) {
            case 1: order = static_cast<int>(a.truth) - static_cast<int>(b.truth); break;
            case 2: order = order_of(a.number, b.number); break;
            case 3:  // a key-only property is less than every text
                order = static_cast<int>(a.kind == Kind::text) - static_cast<int>(b.kind == Kind::text);
                if (order == 0) order = order_of(a.text, b.text);
                break;
            default: break;  // null is null
        }
    }
    return make_value(holds(comparison, order));
}

Value calculate(Op op, const Value& left, const Value& right) {
    if (left.kind != Kind::number || right.kind != Kind::number) return undefined_value();
    const double a = left.number;
    const double b = right.number;
    switch (op) {
        case Op::add: return make_value(a + b);
        case Op::subtract: return make_value(a - b);
        case Op::multiply: return make_value(a * b);
        case Op::divide: return make_value(a / b);
        default: return make_value(std::fmod(a, b));
    }
}

bool is(const Value& value, bool truth) { return value.kind == Kind::boolean && value.truth == truth; }

Value and_boolean(const Value& a, const Value& b) {
    if (is(a, false) || is(b, false)) return make_value(false);
    return is(a, true) && is(b, true) ? make_value(true) : undefined_value();
}

Value or_boolean(const Value& a, const Value& b) {
    if (is(a, true) || is(b, true)) return make_value(true);
    return is(a, false) && is(b, false) ? make_value(false) : undefined_value();
}

// Body values know no shortcut: false AND something that is no bool is undefined.
Value and_any(const Value& a, const Value& b) {
    if (a.kind != Kind::boolean || b.kind != Kind::boolean) return undefined_value();
    return make_value(a.truth && b.truth);
}

Value or_any(const Value& a, const Value& b) {
    if (a.kind != Kind::boolean || b.kind != Kind::boolean) return undefined_value();
    return make_value(a.truth || b.truth);
}

bool is_undefined(const Value& value) {
    return value.kind == Kind::undefined || (value.kind == Kind::number && std::isnan(value.number));
}
}  // namespace

// The stack is as deep as the compiler has checked.
class Machine {
public:
    Machine(const Program& program, const MessageView& message) : program_(program), message_(message) {}

    const Value& run() {
        for (const auto& instruction : program_.code) step(instruction);
        return top();
    }

private:
    // An array of bytes holds whatever is put there (an implicit-lifetime type, [intro.object]).
    Value* values() { return reinterpret_cast<Value*>(stack_.data()); }
    void push(const Value& value) { std::construct_at(values() + size_++, value); }
    Value& top(std::size_t below = 0) { return values()[size_ - 1 - below]; }

    // Two values become one.
    template <class Combine>
    void combine(Combine combine_two) {
        const auto& right = top();
        auto& left = top(1);
        left = combine_two(left, right);
        --size_;
    }

    void step(const Instruction& instruction) {
        const auto comparison = static_cast<Comparison>(instruction.extra);
        switch (instruction.op) {
            case Op::literal: return push(program_.literals[instruction.operand]);
            case Op::property: return push_property(instruction.operand);
            case Op::system: return push_system(program_.names[instruction.operand]);
            case Op::property_or_system:
                if (!push_property_if_any(instruction.operand))
                    push_system(std::string_view(program_.names[instruction.operand]).substr(1));
                return;
            case Op::body: return push(message_.in_body(program_.paths, instruction.operand));
            case Op::property_or_body:
                if (!push_property_if_any(instruction.operand))
                    push(message_.in_body(program_.paths, instruction.extra));
                return;
            case Op::to_any:
                if (is_undefined(top(instruction.operand))) top(instruction.operand) = undefined_value();
                return;
            case Op::negate: top().number = -top().number; return;
            case Op::logical_not:
                top() = top().kind == Kind::boolean ? make_value(!top().truth) : undefined_value();
                return;
            case Op::compare: return combine([&](auto& a, auto& b) { return compare(comparison, a, b); });
            case Op::compare_any: return combine([&](auto& a, auto& b) { return compare_any(comparison, a, b); });
            case Op::and_boolean: return combine(and_boolean);
            case Op::or_boolean: return combine(or_boolean);
            case Op::and_any: return combine(and_any);
            case Op::or_any: return combine(or_any);
            case Op::add:
            case Op::subtract:
            case Op::multiply:
            case Op::divide:
            case Op::remainder: return combine([&](auto& a, auto& b) { return calculate(instruction.op, a, b); });
            case Op::coalesce:
                if (instruction.extra != 0 ? top(1).kind == Kind::undefined : is_undefined(top(1))) top(1) = top();
                --size_;
                return;
            case Op::drop_second:
                top(1) = top();
                --size_;
                return;
            case Op::drop: --size_; return;
            case Op::call: return call_function(instruction);
        }
    }

    void push_property(std::size_t name) {
        if (!push_property_if_any(name)) push(undefined_value());
    }

    bool push_property_if_any(std::size_t name) {
        const auto property = model::find_ignoring_case(message_.message().properties, program_.names[name]);
        if (property) push(value_of(*property));
        return property.has_value();
    }

    void push_system(std::string_view name) {
        const auto property = model::find_ignoring_case(message_.message().system, name);
        push(property ? value_of(*property) : undefined_value());
    }

    void call_function(const Instruction& instruction) {
        size_ -= instruction.operand;
        const std::span<const Value> arguments(values() + size_, instruction.operand);
        push(call(static_cast<Function>(instruction.extra), arguments, scratch_));
    }

    const Program& program_;
    const MessageView& message_;
    // Most conditions use a few of its values: none is set before it is pushed.
    alignas(Value) std::array<std::byte, deepest_stack * sizeof(Value)> stack_;
    std::size_t size_{0};
    Scratch scratch_;
};

std::string_view name_of(Truth truth) {
    switch (truth) {
        case Truth::no: return "false";
        case Truth::yes: return "true";
        case Truth::undefined: return "undefined";
    }
    return "undefined";
}

Truth Condition::evaluate(const MessageView& message) const {
    if (program_->result == Type::null) return Truth::no;
    Machine machine(*program_, message);
    const auto& value = machine.run();
    if (value.kind != Kind::boolean) return Truth::undefined;
    return value.truth ? Truth::yes : Truth::no;
}

std::optional<Truth> Condition::constant() const {
    if (program_->result == Type::null) return Truth::no;
    if (program_->result != Type::boolean && program_->result != Type::any) return Truth::undefined;
    const auto looks = [](const Instruction& instruction) {
        switch (instruction.op) {
            case Op::property:
            case Op::system:
            case Op::property_or_system:
            case Op::body:
            case Op::property_or_body: return true;
            default: return false;
        }
    };
    if (std::ranges::any_of(program_->code, looks)) return std::nullopt;
    const model::Message none;
    return evaluate(MessageView(none));
}

bool Condition::same_as(const Condition& other) const {
    const auto same_value = [](const Value& a, const Value& b) {
        return a.kind == b.kind && a.truth == b.truth && a.number == b.number && a.text == b.text;
    };
    return program_->code == other.program_->code &&
           std::ranges::equal(program_->literals, other.program_->literals, same_value) &&
           std::ranges::equal(program_->names, other.program_->names, equals_ignoring_case);
}

}  // namespace skerry::route
