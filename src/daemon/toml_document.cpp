#include "daemon/toml_document.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include <sstream>

namespace skerry::daemon {

namespace json = boost::json;

namespace {
constexpr int deepest = 32;

template <class T>
std::string text_of(const T& node) {
    std::ostringstream out;
    out << node;
    return out.str();
}

json::object object_of(const toml::table& table, int depth);

json::value value_of(const toml::node& node, int depth) {
    if (depth > deepest) return nullptr;
    if (const auto* table = node.as_table()) return object_of(*table, depth);
    if (const auto* array = node.as_array()) {
        json::array out;
        for (const auto& item : *array) out.push_back(value_of(item, depth + 1));
        return out;
    }
    if (const auto* text = node.as_string()) return json::value(text->get());
    if (const auto* number = node.as_integer()) return json::value(number->get());
    if (const auto* number = node.as_floating_point()) return json::value(number->get());
    if (const auto* flag = node.as_boolean()) return json::value(flag->get());
    if (const auto* date = node.as_date()) return json::value(text_of(date->get()));
    if (const auto* time = node.as_time()) return json::value(text_of(time->get()));
    if (const auto* moment = node.as_date_time()) return json::value(text_of(moment->get()));
    return nullptr;
}

json::object object_of(const toml::table& table, int depth) {
    json::object out;
    for (const auto& [key, node] : table) out[key.str()] = value_of(node, depth + 1);
    return out;
}
}  // namespace

Result<json::object> parse_toml(std::string_view text) {
    if (text.size() > 1024 * 1024) return fail(Errc::full, "the file is larger than 1 MB");
    const auto parsed = toml::parse(text);
    if (!parsed) {
        const auto& where = parsed.error().source().begin;
        return fail(Errc::malformed, "line " + std::to_string(where.line) + ", column " + std::to_string(where.column) +
                                         ": " + std::string(parsed.error().description()));
    }
    return object_of(parsed.table(), 0);
}

}  // namespace skerry::daemon
