// Statements: source, condition, sink (edge-hub.md 4.1, 4.8).
#include "route/route.hpp"

#include "base/encoding.hpp"
#include "model/identity.hpp"
#include "route/compiler.hpp"

#include <fmt/format.h>

#include <vector>

namespace skerry::route {

namespace {
// Reads a statement from the front; the first problem ends it.
class Statement {
public:
    Statement(std::string_view text, std::shared_ptr<BodyPaths> paths)
        : text_(text), tokens_(tokenize(text)), paths_(std::move(paths)) {}

    Result<Route> read() {
        if (peek().kind == TokenKind::end) return fail(error("the route is empty; write FROM <source> INTO <sink>"));
        if (take(TokenKind::select) && !take(TokenKind::times)) return fail(error("after SELECT only '*' is possible"));
        if (!take(TokenKind::from)) return fail(error("a route begins with FROM"));
        auto source = read_source();
        if (!source) return fail(source.error());
        auto condition = read_condition();
        if (!condition) return fail(condition.error());
        if (!take(TokenKind::into)) return fail(error("INTO is expected here"));
        auto endpoint = read_sink();  // what follows is ignored, as the existing hub does
        if (!endpoint) return fail(endpoint.error());
        return Route{std::move(*source), std::move(*condition), std::move(*endpoint)};
    }

private:
    [[nodiscard]] const Token& peek() const { return tokens_[at_]; }

    bool take(TokenKind kind) {
        if (peek().kind != kind) return false;
        if (kind != TokenKind::end) ++at_;
        return true;
    }

    [[nodiscard]] Error error(std::string_view what) const { return error_at(text_, peek().offset, what); }

    // ('/' item)+, without the '*' at the end, with one '/' at the end
    Result<std::string> read_source() {
        std::string source;
        while (take(TokenKind::divide)) {
            source += '/';
            const auto& item = peek();
            if (!take(TokenKind::times) && !take(TokenKind::identifier))
                return fail(error("a source is a path like /messages/modules/<module>/outputs/<output>, or /*"));
            source += item.text;
        }
        if (source.empty()) return fail(error("after FROM a source like /messages/* is expected"));
        while (source.ends_with('*')) source.pop_back();
        if (!source.ends_with('/')) source += '/';
        return source;
    }

    Result<Condition> read_condition() {
        if (!take(TokenKind::where)) return Condition::always();
        Compiler compiler(text_, tokens_, paths_, at_);
        auto condition = compiler.compile();
        at_ = compiler.position();
        if (condition && peek().kind != TokenKind::into) return fail(error(describe_unexpected(peek())));
        return condition;
    }

    Result<Endpoint> read_sink() {
        const auto sink = peek();
        if (take(TokenKind::system_property)) {
            if (equals_ignoring_case(sink.text, "$upstream")) return Upstream{};
            return fail(
                error_at(text_, sink.offset,
                         fmt::format("System endpoint type '{}' not supported. Only $upstream is.", sink.text)));
        }
        if (!take(TokenKind::identifier))
            return fail(
                error("after INTO $upstream or BrokeredEndpoint(\"/modules/<module>/inputs/<input>\") is expected"));
        if (!take(TokenKind::open)) return fail(error("'(' is expected here"));
        const auto path = peek();
        if (!take(TokenKind::string)) return fail(error("a path in quotes is expected here"));
        if (!take(TokenKind::close)) return fail(error("missing closing ')'"));
        if (!equals_ignoring_case(sink.text, "BrokeredEndpoint"))
            return fail(error_at(
                text_, sink.offset,
                fmt::format("Function endpoint type '{}' not supported. Only BrokeredEndpoint is.", sink.text)));
        return read_input(path);
    }

    // "/modules/<module>/inputs/<input>"; as lenient as the existing hub: the first and third part may be anything.
    Result<Endpoint> read_input(const Token& token) {
        auto path = token.text.substr(1, token.text.size() - 2);
        while (path.starts_with(' ') || path.starts_with('\t')) path.remove_prefix(1);
        while (path.ends_with(' ') || path.ends_with('\t')) path.remove_suffix(1);
        if (path.starts_with('/')) path.remove_prefix(1);
        if (path.ends_with('/')) path.remove_suffix(1);
        std::vector<std::string_view> parts;
        for (bool more = true; more;) {
            const auto slash = path.find('/');
            parts.push_back(path.substr(0, slash));
            more = slash != std::string_view::npos;
            if (more) path.remove_prefix(slash + 1);
        }
        if (parts.size() != 4 || parts[3].empty() || !model::is_valid_id(parts[1]))
            return fail(
                error_at(text_, token.offset,
                         fmt::format("{} names no input; write \"/modules/<module>/inputs/<input>\"", token.text)));
        return ModuleInput{std::string(parts[1]), std::string(parts[3])};
    }

    std::string_view text_;
    std::vector<Token> tokens_;
    std::shared_ptr<BodyPaths> paths_;
    std::size_t at_{0};
};

Result<> check_length(std::string_view text) {
    if (text.size() <= longest_text) return {};
    return fail(error_at(text, longest_text, fmt::format("the text is longer than {} bytes", longest_text)));
}
}  // namespace

Result<Condition> Condition::compile(std::string_view text) {
    if (auto ok = check_length(text); !ok) return fail(ok.error());
    auto tokens = tokenize(text);
    // No condition at all is undefined rather than wrong.
    if (tokens.front().kind == TokenKind::end) tokens.insert(tokens.begin(), {TokenKind::undefined, {}, 0});
    Compiler compiler(text, tokens, std::make_shared<BodyPaths>());
    auto condition = compiler.compile();
    const auto& following = tokens[compiler.position()];
    if (condition && following.kind != TokenKind::end)
        return fail(error_at(text, following.offset, describe_unexpected(following)));
    return condition;
}

Condition Condition::always() {
    auto program = std::make_shared<Program>();
    program->literals.push_back(make_value(true));
    program->code.push_back({Op::literal});
    program->result = Type::boolean;
    return Condition(std::move(program));
}

Result<Route> RouteSet::compile(std::string_view text) {
    if (auto ok = check_length(text); !ok) return fail(ok.error());
    return Statement(text, paths_).read();
}

Result<Route> compile(std::string_view text) { return RouteSet().compile(text); }

bool takes_source_of(const Route& route, const MessageView& message) {
    const std::string_view source = message.source();
    return source.starts_with(route.source) ||  // as it is nearly always written
           (source.size() >= route.source.size() &&
            equals_ignoring_case(source.substr(0, route.source.size()), route.source));
}

bool matches(const Route& route, const MessageView& message) {
    return takes_source_of(route, message) && route.condition.evaluate(message) == Truth::yes;
}

}  // namespace skerry::route
