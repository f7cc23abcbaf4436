// Tokens of the routing language: the longest match wins, and of equal ones the earlier kind (edge-hub.md 4.2).
//
// Most characters may be part of an identifier, - + * % ! | & . ' among them: "a-b" is one name, "a - b" is three
// tokens.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace skerry::route {

enum class TokenKind {
    select,
    from,
    where,
    into,
    string,
    unterminated_string,
    integer,
    hex,
    real,
    true_,
    false_,
    null,
    undefined,
    open,
    close,
    comma,
    plus,
    minus,
    times,
    divide,
    modulo,
    and_,
    or_,
    not_,
    equal,
    not_equal,
    less_equal,
    greater_equal,
    greater,
    less,
    concat,
    coalesce,
    open_brace,
    close_brace,
    system_property,  // $name
    identifier,
    query_path,  // with brackets, but no $: never valid
    unknown,
    end,
};

struct Token {
    TokenKind kind;
    std::string_view text;
    std::size_t offset;
};

// Without white space and comments, with an `end` at the end. Never fails: what is no token is `unknown`.
[[nodiscard]] std::vector<Token> tokenize(std::string_view text);

// 1-based, in characters rather than bytes.
[[nodiscard]] std::size_t column_of(std::string_view text, std::size_t offset);

}  // namespace skerry::route
