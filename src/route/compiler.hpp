// From tokens to a program: grammar and static types in one pass (edge-hub.md 4.3, 4.4).
#pragma once

#include "route/lexer.hpp"
#include "route/program.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace skerry::route {

inline constexpr std::size_t longest_text = 64 * 1024;

// Reads one condition from the tokens and stops behind it. The text and the tokens outlive the compiler.
class Compiler {
public:
    Compiler(std::string_view text, std::span<const Token> tokens, std::shared_ptr<BodyPaths> paths,
             std::size_t at = 0);

    [[nodiscard]] Result<Condition> compile();
    [[nodiscard]] std::size_t position() const { return at_; }  // of the first token that was not read

private:
    // What is known of a value on the stack.
    struct Operand {
        Type type{Type::undefined};
        std::string_view property;  // its name, when it is just a property: for better advice
    };
    enum class Family { coalesce, logic, comparison, arithmetic, concat };
    struct Operator {
        TokenKind token;
        int level;  // the higher, the tighter it binds
        Family family;
        Op op;
        Comparison comparison{};
    };

    Operand expression(int level);
    Operand unary();
    Operand primary();
    Operand in_parentheses();
    Operand literal(const Token& token);
    Operand name();
    Operand dollar_name(const Token& token);
    Operand braced_name();
    Operand function_call(const Token& name);
    Operand body_value(const Token& token, Op op, std::string_view property);

    Operand binary(const Operator& op, const Token& token, const Operand& left, const Operand& right);
    Operand arithmetic(const Operator& op, const Token& token, const Operand& left, const Operand& right);
    Operand comparison(const Operator& op, const Token& token, const Operand& left, const Operand& right);
    Operand logic(const Operator& op, const Token& token, const Operand& left, const Operand& right);
    Operand coalesce(const Token& token, const Operand& left, const Operand& right);
    Operand concatenation(const Token& token, const Operand& left, const Operand& right);

    Operand logic_with_null(const Operator& op, const Operand& left, const Operand& right);
    // Makes the two topmost values body values.
    void to_any(const Operand& left, const Operand& right);
    Operand mismatch(const Token& token, const Operand& left, const Operand& right);

    void emit(Op op, std::size_t operand = 0, std::size_t extra = 0);
    void push(Op op, std::size_t operand = 0, std::size_t extra = 0);  // what makes the stack one deeper
    void pop(Op op, std::size_t extra = 0);                            // what makes it one shallower
    Operand push_literal(Type type, Value value);
    Operand push_text(std::string text);
    std::size_t add_name(std::string_view name);

    [[nodiscard]] const Token& peek() const { return tokens_[at_]; }
    const Token& take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
    bool expect(TokenKind kind, std::string_view what);
    Operand complain(std::size_t offset, std::string what);
    Operand unexpected(const Token& token);

    std::string_view text_;
    std::span<const Token> tokens_;
    std::size_t at_;
    std::shared_ptr<BodyPaths> paths_;  // grow by what the condition asks for
    std::shared_ptr<Program> program_;
    std::size_t nesting_{0};
    std::size_t stack_{0};
    std::string problem_;  // the first one, with its column
};

// "column N: what"
[[nodiscard]] Error error_at(std::string_view text, std::size_t offset, std::string_view what);
// What is wrong with a token where an operand, or nothing at all, is expected.
[[nodiscard]] std::string describe_unexpected(const Token& token);

}  // namespace skerry::route
