#include "daemon/toml_document.hpp"

#include "base/encoding.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
// Its assertions abort on some malformed texts ("[+"), for which it has an error otherwise.
#define TOML_ASSERT(condition) static_cast<void>(0)
#include <toml++/toml.h>

#include <sstream>
#include <string>

namespace skerry::daemon {

namespace json = boost::json;

namespace {
constexpr int deepest = 32;

// What the library does with characters beyond ASCII outside of strings and comments is undefined: it gets to see none.
// Each of their bytes becomes a mark and two digits, which are wrong outside of strings, too.
class Mask {
public:
    explicit Mask(std::string_view text) {
        for (int i = 0; text.find(mark_) != std::string_view::npos; ++i) mark_ = '~' + std::to_string(i) + '~';
    }

    [[nodiscard]] std::string put_on(std::string_view text) const {
        std::string out;
        out.reserve(text.size());
        for (const char c : text) {
            if (static_cast<unsigned char>(c) < 0x80)
                out += c;
            else
                out.append(mark_).append(hex_encode({&c, 1}));
        }
        return out;
    }

    [[nodiscard]] std::string take_off(std::string_view text) const {
        std::string out;
        for (;;) {
            const auto at = text.find(mark_);
            out += text.substr(0, at);
            if (at == std::string_view::npos) return out;
            text.remove_prefix(at + mark_.size());
            const auto byte = hex_decode(text.substr(0, 2));
            out += byte.value_or(mark_);
            if (byte) text.remove_prefix(2);
        }
    }

private:
    std::string mark_{"~~"};
};

template <class T>
std::string text_of(const T& node) {
    std::ostringstream out;
    out << node;
    return out.str();
}

json::object object_of(const toml::table& table, const Mask& mask, int depth);

json::value value_of(const toml::node& node, const Mask& mask, int depth) {
    if (depth > deepest) return nullptr;
    if (const auto* table = node.as_table()) return object_of(*table, mask, depth);
    if (const auto* array = node.as_array()) {
        json::array out;
        for (const auto& item : *array) out.push_back(value_of(item, mask, depth + 1));
        return out;
    }
    if (const auto* text = node.as_string()) return json::value(mask.take_off(text->get()));
    if (const auto* number = node.as_integer()) return json::value(number->get());
    if (const auto* number = node.as_floating_point()) return json::value(number->get());
    if (const auto* flag = node.as_boolean()) return json::value(flag->get());
    if (const auto* date = node.as_date()) return json::value(text_of(date->get()));
    if (const auto* time = node.as_time()) return json::value(text_of(time->get()));
    if (const auto* moment = node.as_date_time()) return json::value(text_of(moment->get()));
    return nullptr;
}

json::object object_of(const toml::table& table, const Mask& mask, int depth) {
    json::object out;
    for (const auto& [key, node] : table) out[mask.take_off(key.str())] = value_of(node, mask, depth + 1);
    return out;
}

}  // namespace

Result<json::object> parse_toml(std::string_view text) {
    if (text.size() > 1024 * 1024) return fail(Errc::full, "the file is larger than 1 MB");
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark
    if (!is_utf8(text)) return fail(Errc::malformed, "the text is not UTF-8");
    const Mask mask(text);
    const auto parsed = toml::parse(mask.put_on(text));
    if (!parsed) {
        const auto& where = parsed.error().source().begin;
        return fail(Errc::malformed, "line " + std::to_string(where.line) + ", column " + std::to_string(where.column) +
                                         ": " + mask.take_off(parsed.error().description()));
    }
    return object_of(parsed.table(), mask, 0);
}

}  // namespace skerry::daemon
