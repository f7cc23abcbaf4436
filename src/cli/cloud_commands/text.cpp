#include "cli/cloud_commands/text.hpp"

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>

namespace skerry::cli {

namespace json = boost::json;

namespace {
void append_pretty(const json::value& value, std::size_t depth, std::string& out) {
    const std::string indent(2 * (depth + 1), ' ');
    const std::string end(2 * depth, ' ');
    if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
        out += "{\n";
        std::size_t left = object->size();
        for (const auto& [name, member] : *object) {
            out += indent + json::serialize(json::value(name)) + ": ";
            append_pretty(member, depth + 1, out);
            out += --left > 0 ? ",\n" : "\n";
        }
        out += end + '}';
    } else if (const auto* array = value.if_array(); array != nullptr && !array->empty()) {
        out += "[\n";
        std::size_t left = array->size();
        for (const auto& element : *array) {
            out += indent;
            append_pretty(element, depth + 1, out);
            out += --left > 0 ? ",\n" : "\n";
        }
        out += end + ']';
    } else {
        out += json::serialize(value);
    }
}

std::string harmless(std::string text) {
    std::ranges::replace_if(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
    return text;
}
}  // namespace

std::string text_of(const json::object& object, std::string_view name) {
    const auto* member = object.if_contains(name);
    return member != nullptr && member->is_string() ? std::string(member->get_string()) : std::string();
}

std::string pretty(const json::value& value) {
    std::string out;
    append_pretty(value, 0, out);
    out += '\n';
    return out;
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    std::string out;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i)
            line += i + 1 < row.size() ? fmt::format("{:<{}}  ", row[i], widths[i]) : row[i];
        out += line + '\n';
    }
    return out;
}

std::string event_text(std::string_view line) {
    json::error_code error;
    const auto value = json::parse(line, error);
    const auto* event = error ? nullptr : value.if_object();
    if (event == nullptr) return harmless(std::string(line));
    auto source = text_of(*event, "deviceId");
    if (const auto module = text_of(*event, "moduleId"); !module.empty()) source += '/' + module;
    auto body = text_of(*event, "body");
    if (event->contains("bodyBase64")) body = "(base64) " + text_of(*event, "bodyBase64");
    std::string properties;
    if (const auto* object = event->if_contains("properties"); object != nullptr && object->is_object())
        for (const auto& [name, property] : object->get_object())
            properties += fmt::format("{}{}={}", properties.empty() ? "  {" : ", ", std::string_view(name),
                                      property.is_string() ? std::string_view(property.get_string()) : "");
    if (!properties.empty()) properties += '}';
    return harmless(fmt::format("{}  {}  {}{}", text_of(*event, "enqueuedTime"), source, body, properties));
}

}  // namespace skerry::cli
