// What an expression gives when it is evaluated, and what is known of it before.
#pragma once

#include <cstdint>
#include <string_view>

namespace skerry::route {

// Known when a condition is compiled. `any` comes from $body only: its kind shows when there is a message.
enum class Type : std::uint8_t { text, number, boolean, null, undefined, any };

struct Value {
    enum class Kind : std::uint8_t {
        undefined,
        boolean,
        number,  // outside `any` NaN means undefined
        text,
        null_text,  // a property that is only a key
        null,
        missing,  // a path that leads nowhere in the body: null, but is_null() says no
    };

    Kind kind;
    bool truth;
    double number;
    std::string_view text;  // lives in the message, the program, or the evaluation's scratch
};

[[nodiscard]] inline Value undefined_value() { return {Value::Kind::undefined, false, 0, {}}; }
[[nodiscard]] inline Value null_value() { return {Value::Kind::null, false, 0, {}}; }
[[nodiscard]] inline Value missing_value() { return {Value::Kind::missing, false, 0, {}}; }
[[nodiscard]] inline Value null_text_value() { return {Value::Kind::null_text, false, 0, {}}; }
[[nodiscard]] inline Value make_value(bool truth) { return {Value::Kind::boolean, truth, 0, {}}; }
[[nodiscard]] inline Value make_value(double number) { return {Value::Kind::number, false, number, {}}; }
[[nodiscard]] inline Value make_value(std::string_view text) { return {Value::Kind::text, false, 0, text}; }

}  // namespace skerry::route
