#include "route/text.hpp"

#include "route/letter_case.hpp"

#include <algorithm>
#include <cstdint>

namespace skerry::route {

namespace {
constexpr char32_t replacement = 0xfffd;

bool is_high(char32_t c) { return c >= 0xd800 && c < 0xdc00; }
bool is_low(char32_t c) { return c >= 0xdc00 && c < 0xe000; }
bool is_continuation(unsigned char byte) { return (byte & 0xc0) == 0x80; }

// The next character; lone surrogates in three bytes pass, other malformed bytes give U+FFFD one by one.
char32_t next(std::string_view text, std::size_t& at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto lead = byte(at);
    const std::size_t length = lead < 0x80                   ? 1
                               : lead >= 0xf0 && lead < 0xf5 ? 4
                               : lead >= 0xe0 && lead < 0xf0 ? 3
                               : lead >= 0xc2 && lead < 0xe0 ? 2
                                                             : 0;
    if (length == 0 || at + length > text.size()) {
        ++at;
        return replacement;
    }
    char32_t code = length == 1 ? lead : lead & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        if (!is_continuation(byte(at + i))) {
            ++at;
            return replacement;
        }
        code = code << 6 | (byte(at + i) & 0x3fU);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    if (overlong || code > 0x10ffff) {
        ++at;
        return replacement;
    }
    at += length;
    return code;
}

void append(std::string& out, char32_t code) {
    const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xc0 | code >> 6);
        put(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        put(0xe0 | code >> 12);
        put(0x80 | (code >> 6 & 0x3f));
        put(0x80 | (code & 0x3f));
    } else {
        put(0xf0 | code >> 18);
        put(0x80 | (code >> 12 & 0x3f));
        put(0x80 | (code >> 6 & 0x3f));
        put(0x80 | (code & 0x3f));
    }
}

// UTF-16 puts characters beyond U+FFFF (lead byte 0xf0 and up) before U+E000 to U+FFFF (lead bytes 0xee and 0xef).
int utf16_rank(unsigned char lead) { return lead >= 0xf0 ? lead - 0xf0 + 0xee : lead >= 0xee ? lead + 0x10 : lead; }

template <class Convert>
std::string convert(std::string_view text, Convert convert_one) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) append(out, convert_one(next(text, at)));
    return out;
}

int hex_value(char16_t c) {
    if (c >= u'0' && c <= u'9') return c - u'0';
    if (c >= u'a' && c <= u'f') return c - u'a' + 10;
    if (c >= u'A' && c <= u'F') return c - u'A' + 10;
    return -1;
}

std::u16string replace_unicode_escapes(std::u16string_view text) {
    std::u16string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const auto rest = text.substr(at);
        const bool escape = rest.size() >= 6 && rest[0] == u'\\' && (rest[1] == u'u' || rest[1] == u'U') &&
                            std::ranges::all_of(rest.substr(2, 4), [](char16_t c) { return hex_value(c) >= 0; });
        if (!escape) {
            out.push_back(text[at]);
            continue;
        }
        int unit = 0;
        for (const char16_t c : rest.substr(2, 4)) unit = unit * 16 + hex_value(c);
        out.push_back(static_cast<char16_t>(unit));
        at += 5;
    }
    return out;
}

std::u16string replace_quote_escapes(std::u16string_view text) {
    std::u16string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char16_t following = at + 1 < text.size() ? text[at + 1] : u'\0';
        const bool escape = text[at] == u'\\' && (following == u'"' || following == u'\'' || following == u'\\');
        if (escape) ++at;
        out.push_back(text[at]);
    }
    return out;
}
}  // namespace

std::u16string to_utf16(std::string_view text) {
    std::u16string out;
    for (std::size_t at = 0; at < text.size();) {
        const auto code = next(text, at);
        if (code < 0x10000) {
            out.push_back(static_cast<char16_t>(code));
        } else {
            out.push_back(static_cast<char16_t>(0xd7c0 + (code >> 10)));
            out.push_back(static_cast<char16_t>(0xdc00 + (code & 0x3ff)));
        }
    }
    return out;
}

std::string to_utf8(std::u16string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        char32_t code = text[at];
        if (is_high(code) && at + 1 < text.size() && is_low(text[at + 1]))
            code = 0x10000 + ((code - 0xd800) << 10) + (text[++at] - 0xdc00U);
        append(out, code);
    }
    return out;
}

std::strong_ordering compare_ordinal(std::string_view a, std::string_view b) {
    const auto [in_a, in_b] = std::ranges::mismatch(a, b);
    if (in_a == a.end() || in_b == b.end()) return a.size() <=> b.size();
    // The first difference is in lead bytes, or in continuation bytes of characters with the same lead.
    return utf16_rank(static_cast<unsigned char>(*in_a)) <=> utf16_rank(static_cast<unsigned char>(*in_b));
}

std::size_t length_in_utf16(std::string_view text) {
    std::size_t length = 0;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (!is_continuation(byte)) length += byte >= 0xf0 ? 2 : 1;
    }
    return length;
}

std::size_t byte_offset(std::string_view text, std::size_t utf16_offset) {
    std::size_t at = 0;
    std::size_t units = 0;
    while (units < utf16_offset && at < text.size()) {
        units += static_cast<unsigned char>(text[at]) >= 0xf0 ? 2 : 1;
        ++at;
        while (at < text.size() && is_continuation(static_cast<unsigned char>(text[at]))) ++at;
    }
    return units == utf16_offset ? at : std::string_view::npos;
}

std::string to_lower_invariant(std::string_view text) { return convert(text, lower_letter); }
std::string to_upper_invariant(std::string_view text) { return convert(text, upper_letter); }

std::string unescape(std::string_view literal) {
    if (literal.find('\\') == std::string_view::npos) return std::string(literal);
    return to_utf8(replace_quote_escapes(replace_unicode_escapes(to_utf16(literal))));
}

}  // namespace skerry::route
