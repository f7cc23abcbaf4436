// A compiled condition: instructions for a small stack machine. Both operands of everything are evaluated, as in the
// existing hub; evaluation has no side effects, so nothing is lost by it.
#pragma once

#include "route/body.hpp"
#include "route/functions.hpp"
#include "route/route.hpp"
#include "route/value.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace skerry::route {

inline constexpr std::size_t deepest_stack = 128;

enum class Op : std::uint8_t {
    literal,             // operand: in literals
    property,            // operand: in names
    system,              // operand: in names
    property_or_system,  // operand: in names, "$x"; the system property is called without the $
    body,                // operand: a place in paths
    property_or_body,    // operand: in names, extra: a place in paths
    to_any,              // operand: how far below the top
    negate,
    add,
    subtract,
    multiply,
    divide,
    remainder,
    compare,      // extra: a Comparison; of two texts, numbers or bools
    compare_any,  // extra: a Comparison
    logical_not,
    and_boolean,
    or_boolean,
    and_any,
    or_any,
    coalesce,
    drop,         // the top
    drop_second,  // what lies under the top
    call,         // operand: number of arguments, extra: a Function
};

enum class Comparison : std::uint8_t { equal, not_equal, less, less_equal, greater, greater_equal };

struct Instruction {
    Op op;
    std::uint32_t operand{0};
    std::uint32_t extra{0};
    bool operator==(const Instruction&) const = default;
};

struct Program {
    std::vector<Instruction> code;
    std::vector<Value> literals;
    std::deque<std::string> texts;  // what literals point to
    std::vector<std::string> names;
    std::shared_ptr<const BodyPaths> paths;
    Type result{Type::undefined};
};

}  // namespace skerry::route
