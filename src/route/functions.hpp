// The built-in functions (edge-hub.md 4.7).
#pragma once

#include "route/value.hpp"

#include <cstddef>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace skerry::route {

enum class Function : std::uint8_t {
    abs,
    ceiling,
    exp,
    floor,
    sign,
    sqrt,
    square,
    power,
    as_number,
    is_bool,
    is_number,
    is_string,
    is_defined,
    is_null_text,
    is_null_any,
    concat,
    length,
    lower,
    upper,
    substring,
    index_of,
    starts_with,
    ends_with,
    contains,
    // Known from the types alone: the argument is dropped.
    always_false,
    always_true,
    same,
};

struct Resolved {
    Function function;
    Type result;
};

// Which function `name` (without case) is for arguments of these types. nullopt when there is no function of that name;
// `problem` is set when there is one but the arguments don't fit, and says what would.
[[nodiscard]] std::optional<Resolved> resolve(std::string_view name, std::span<const Type> arguments,
                                              std::string& problem);

[[nodiscard]] std::string_view name_of(Type type);

// Text that functions make lives here until the evaluation ends.
using Scratch = std::list<std::string>;

[[nodiscard]] Value call(Function function, std::span<const Value> arguments, Scratch& scratch);

}  // namespace skerry::route
