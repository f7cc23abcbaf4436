#include "model/fields.hpp"

#include "base/encoding.hpp"

#include <fmt/format.h>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

namespace skerry::model {

namespace json = boost::json;

Fields::Fields(const json::object& object, std::string path, std::string& problem)
    : object_(object), path_(std::move(path)), problem_(problem) {}

std::string Fields::path_of(std::string_view name) const {
    return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

void Fields::complain(std::string_view name, std::string_view what) {
    if (problem_.empty()) problem_ = fmt::format("{}: {}", path_of(name), what);
}

const json::value* Fields::find(std::string_view name) const {
    const auto* value = object_.if_contains(name);
    if (value == nullptr) {
        for (const auto& [key, candidate] : object_)
            if (equals_ignoring_case(key, name)) value = &candidate;
    }
    return value == nullptr || value->is_null() ? nullptr : value;
}

std::string Fields::text(std::string_view name, std::string_view fallback) {
    const auto* value = find(name);
    if (value == nullptr) return std::string(fallback);
    auto text = scalar_text(*value);
    if (!text) complain(name, "must be a text");
    return std::move(text).value_or(std::string());
}

std::string Fields::required_text(std::string_view name) {
    auto out = text(name);
    if (good() && trimmed(out).empty()) complain(name, find(name) == nullptr ? "is missing" : "is blank");
    return out;
}

std::optional<std::uint64_t> Fields::number(std::string_view name, std::uint64_t greatest) {
    const auto* value = find(name);
    if (value == nullptr) return std::nullopt;
    if (value->is_uint64() && value->get_uint64() <= greatest) return value->get_uint64();
    if (value->is_int64() && value->get_int64() >= 0 && static_cast<std::uint64_t>(value->get_int64()) <= greatest)
        return static_cast<std::uint64_t>(value->get_int64());
    complain(name, fmt::format("must be a whole number in 0..{}", greatest));
    return std::nullopt;
}

const json::object* Fields::object(std::string_view name) {
    const auto* value = find(name);
    if (value == nullptr) return nullptr;
    if (!value->is_object()) complain(name, "must be an object");
    return value->if_object();
}

const json::object* Fields::required_object(std::string_view name) {
    const auto* out = object(name);
    if (out == nullptr) complain(name, "is missing");
    return out;
}

std::optional<std::string> scalar_text(const json::value& value) {
    switch (value.kind()) {
        case json::kind::string: return std::string(value.get_string());
        case json::kind::bool_: return value.get_bool() ? "true" : "false";
        case json::kind::int64: return fmt::format("{}", value.get_int64());
        case json::kind::uint64: return fmt::format("{}", value.get_uint64());
        case json::kind::double_: return fmt::format("{}", value.get_double());
        case json::kind::null:
        case json::kind::array:
        case json::kind::object: break;
    }
    return std::nullopt;
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n\v\f";
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

}  // namespace skerry::model
