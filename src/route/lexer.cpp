#include "route/lexer.hpp"

#include "base/encoding.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace skerry::route {

namespace {
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex_digit(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_path_character(char c) {
    return std::string_view("()<>@,;:\\\"/?={} \t\n\r").find(c) == std::string_view::npos;
}

std::size_t digits_at(std::string_view text, std::size_t at) {
    const auto start = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at - start;
}

// [eE] [+-]? digits, the whole rest of the text
bool is_exponent(std::string_view text) {
    if (text.empty() || (text[0] != 'e' && text[0] != 'E')) return false;
    text.remove_prefix(1);
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    return !text.empty() && digits_at(text, 0) == text.size();
}

bool is_integer(std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    return !text.empty() && digits_at(text, 0) == text.size();
}

bool is_hex(std::string_view text) {
    return text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') &&
           std::ranges::all_of(text.substr(2), is_hex_digit);
}

bool is_real(std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    text.remove_prefix(digits_at(text, 0));
    if (!text.starts_with('.')) return is_exponent(text);
    text.remove_prefix(1);
    const auto fraction = digits_at(text, 0);
    if (fraction == 0) return false;
    text.remove_prefix(fraction);
    return text.empty() || is_exponent(text);
}

// What a run of identifier characters is as a whole.
TokenKind classify(std::string_view run) {
    using Named = std::pair<std::string_view, TokenKind>;
    constexpr std::array any_case{Named{"select", TokenKind::select}, Named{"from", TokenKind::from},
                                  Named{"where", TokenKind::where},   Named{"into", TokenKind::into},
                                  Named{"and", TokenKind::and_},      Named{"or", TokenKind::or_},
                                  Named{"not", TokenKind::not_}};
    constexpr std::array exact{Named{"true", TokenKind::true_}, Named{"false", TokenKind::false_},
                               Named{"null", TokenKind::null},  Named{"undefined", TokenKind::undefined},
                               Named{"+", TokenKind::plus},     Named{"-", TokenKind::minus},
                               Named{"*", TokenKind::times},    Named{"%", TokenKind::modulo},
                               Named{"||", TokenKind::concat}};
    for (const auto& [name, kind] : any_case)
        if (equals_ignoring_case(run, name)) return kind;
    for (const auto& [name, kind] : exact)
        if (run == name) return kind;
    if (is_integer(run)) return TokenKind::integer;
    if (is_hex(run)) return TokenKind::hex;
    if (is_real(run)) return TokenKind::real;
    return TokenKind::identifier;
}

struct Match {
    TokenKind kind{TokenKind::unknown};
    std::size_t length{0};
};

// The text from a quote on: up to its end, or as far as it could be a string.
Match match_string(std::string_view text) {
    const char quote = text[0];
    std::size_t at = 1;
    while (at < text.size()) {
        if (text[at] == quote) return {TokenKind::string, at + 1};
        if (text[at] != '\\') {
            ++at;
            continue;
        }
        const auto escape = text.substr(at + 1, 5);
        const bool is_unicode =
            escape.size() == 5 && escape[0] == 'u' && std::ranges::all_of(escape.substr(1), is_hex_digit);
        if (escape.empty() || (std::string_view("\"'\\").find(escape[0]) == std::string_view::npos && !is_unicode))
            break;
        at += is_unicode ? 6 : 2;
    }
    return {TokenKind::unterminated_string, at};
}

Match match_run(std::string_view text) {
    std::size_t length = 0;
    while (length < text.size() && is_path_character(text[length])) ++length;
    if (length == 0) return {};
    const auto run = text.substr(0, length);
    if (run[0] == '$' && length > 1) return {TokenKind::system_property, length};
    if (run == "!" && text.substr(1).starts_with('=')) return {TokenKind::not_equal, 2};
    if (run.find_first_of("[]") != std::string_view::npos) return {TokenKind::query_path, length};
    return {classify(run), length};
}

Match match_symbol(std::string_view text) {
    using Symbol = std::pair<std::string_view, TokenKind>;
    constexpr std::array symbols{
        Symbol{"<>", TokenKind::not_equal}, Symbol{"<=", TokenKind::less_equal}, Symbol{">=", TokenKind::greater_equal},
        Symbol{"??", TokenKind::coalesce},  Symbol{"<", TokenKind::less},        Symbol{">", TokenKind::greater},
        Symbol{"=", TokenKind::equal},      Symbol{"(", TokenKind::open},        Symbol{")", TokenKind::close},
        Symbol{",", TokenKind::comma},      Symbol{"/", TokenKind::divide},      Symbol{"{", TokenKind::open_brace},
        Symbol{"}", TokenKind::close_brace}};
    for (const auto& [symbol, kind] : symbols)
        if (text.starts_with(symbol)) return {kind, symbol.size()};
    return {TokenKind::unknown, 1};
}

Match match_token(std::string_view text) {
    auto best = match_run(text);
    if (text[0] == '"' || text[0] == '\'') {
        // A quote is an identifier character, too: 'x'||'y' without blanks is one long name.
        const auto string = match_string(text);
        if (string.length >= best.length) best = string;
    }
    return best.length > 0 ? best : match_symbol(text);
}
}  // namespace

std::vector<Token> tokenize(std::string_view text) {
    std::vector<Token> tokens;
    std::size_t at = 0;
    while (at < text.size()) {
        if (is_blank(text[at])) {
            ++at;
            continue;
        }
        const auto rest = text.substr(at);
        if (rest.starts_with("/*")) {
            if (const auto end = rest.find("*/", 2); end != std::string_view::npos) {
                at += end + 2;
                continue;
            }
        }
        const auto [kind, length] = match_token(rest);
        tokens.push_back({kind, rest.substr(0, length), at});
        at += length;
    }
    tokens.push_back({TokenKind::end, {}, text.size()});
    return tokens;
}

std::size_t column_of(std::string_view text, std::size_t offset) {
    const auto before = text.substr(0, offset);
    const auto starts_character = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
    return static_cast<std::size_t>(std::ranges::count_if(before, starts_character)) + 1;
}

}  // namespace skerry::route
