#include "route/numbers.hpp"

#include "base/encoding.hpp"

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>

namespace skerry::route {

namespace {
constexpr std::string_view currency = "\u00a4";
constexpr int greatest_exponent = 9999;

bool is_white(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

struct Parser {
    std::string_view rest;
    bool has_sign{false};
    bool negative{false};
    bool open{false};  // a parenthesis
    bool has_currency{false};
    bool any_digit{false};
    std::string digits{};  // what strtod would like to see: only digits, one point, an exponent

    bool take(std::string_view symbol) {
        if (!rest.starts_with(symbol)) return false;
        rest.remove_prefix(symbol.size());
        return true;
    }

    bool take_sign() {
        if (has_sign || rest.empty() || (rest[0] != '+' && rest[0] != '-')) return false;
        negative = rest[0] == '-';
        has_sign = true;
        rest.remove_prefix(1);
        return true;
    }

    bool take_currency() {
        if (has_currency || !take(currency)) return false;
        has_currency = true;
        return true;
    }

    // Blanks may come anywhere before the number, but after a sign only when a currency sign came, too.
    void leading() {
        while (!rest.empty()) {
            if (is_white(rest[0]) && (!has_sign || has_currency)) {
                rest.remove_prefix(1);
            } else if (take_sign() || take_currency()) {
                continue;
            } else if (rest[0] == '(' && !has_sign) {
                rest.remove_prefix(1);
                has_sign = open = negative = true;
            } else {
                return;
            }
        }
    }

    void mantissa() {
        bool point = false;
        for (; !rest.empty(); rest.remove_prefix(1)) {
            const char c = rest[0];
            if (is_digit(c)) {
                any_digit = true;
                digits += c;
            } else if (c == '.' && !point) {
                point = true;
                digits += digits.empty() ? "0." : ".";
            } else if (c != ',' || !any_digit || point) {
                return;
            }
        }
    }

    void exponent() {
        if (rest.empty() || (rest[0] != 'e' && rest[0] != 'E')) return;
        auto ahead = rest.substr(1);
        const bool down = ahead.starts_with('-');
        if (down || ahead.starts_with('+')) ahead.remove_prefix(1);
        if (ahead.empty() || !is_digit(ahead[0])) return;
        int value = 0;
        for (; !ahead.empty() && is_digit(ahead[0]); ahead.remove_prefix(1))
            if (value < greatest_exponent) value = value * 10 + (ahead[0] - '0');
        digits += down ? "e-" : "e";
        digits += std::to_string(value);
        rest = ahead;
    }

    void trailing() {
        while (!rest.empty()) {
            if (is_white(rest[0])) {
                rest.remove_prefix(1);
            } else if (rest[0] == ')' && open) {
                rest.remove_prefix(1);
                open = false;
            } else if (!take_sign() && !take_currency()) {
                return;
            }
        }
    }
};

double to_double(const std::string& digits) {
    double value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    // strtod alone says which side of the range was left; it costs more.
    return error == std::errc::result_out_of_range ? std::strtod(digits.c_str(), nullptr) : value;
}

std::optional<double> parse_named(std::string_view text) {
    while (!text.empty() && is_white(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_white(text.back())) text.remove_suffix(1);
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (equals_ignoring_case(text, "Infinity") || equals_ignoring_case(text, "+Infinity")) return infinity;
    if (equals_ignoring_case(text, "-Infinity")) return -infinity;
    for (const std::string_view name : {"NaN", "+NaN", "-NaN"})
        if (equals_ignoring_case(text, name)) return std::numeric_limits<double>::quiet_NaN();
    return std::nullopt;
}
// Digits with a point at most, as devices write them; nullopt for whatever else.
std::optional<double> parse_plain(std::string_view text) {
    const auto digits = text.starts_with('-') ? text.substr(1) : text;
    if (digits.empty() || !is_digit(digits.front()) || !is_digit(digits.back())) return std::nullopt;
    double value = 0;
    const auto* const end = text.data() + text.size();
    const auto [behind, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
    return error == std::errc() && behind == end ? std::optional(value) : std::nullopt;
}

}  // namespace

std::optional<double> parse_number(std::string_view text) {
    if (const auto plain = parse_plain(text)) return plain;
    Parser parser{text};
    parser.leading();
    parser.mantissa();
    if (!parser.any_digit) return parse_named(text);
    parser.exponent();
    parser.trailing();
    // .NET lets NULs follow, as left over from C strings.
    if (parser.open || parser.rest.find_first_not_of('\0') != std::string_view::npos) return parse_named(text);
    const double value = to_double(parser.digits);
    return parser.negative ? -value : value;
}

std::optional<double> parse_hex(std::string_view text) {
    text.remove_prefix(2);
    while (text.size() > 1 && text.front() == '0') text.remove_prefix(1);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return static_cast<double>(static_cast<std::int64_t>(value));
}

}  // namespace skerry::route
