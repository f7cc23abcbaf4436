#include "engine/moby/fields.hpp"

#include "base/encoding.hpp"

namespace skerry::engine::moby {

namespace json = boost::json;

std::string text_at(const json::object& object, std::string_view name) {
    const auto* const member = object.if_contains(name);
    return member != nullptr && member->is_string() ? std::string(member->get_string()) : std::string();
}

std::int64_t number_at(const json::object& object, std::string_view name) {
    const auto* const member = object.if_contains(name);
    return member != nullptr && member->is_int64() ? member->get_int64() : 0;
}

bool flag_at(const json::object& object, std::string_view name) {
    const auto* const member = object.if_contains(name);
    return member != nullptr && member->is_bool() && member->get_bool();
}

const json::object& object_at(const json::object& object, std::string_view name) {
    static const json::object none;
    const auto* const member = object.if_contains(name);
    return member != nullptr && member->is_object() ? member->get_object() : none;
}

const json::array& array_at(const json::object& object, std::string_view name) {
    static const json::array none;
    const auto* const member = object.if_contains(name);
    return member != nullptr && member->is_array() ? member->get_array() : none;
}

std::vector<std::string> texts_at(const json::object& object, std::string_view name) {
    std::vector<std::string> texts;
    for (const auto& entry : array_at(object, name))
        if (entry.is_string()) texts.emplace_back(entry.get_string());
    return texts;
}

json::value* find_member(json::object& object, std::string_view name) {
    if (auto* const exact = object.if_contains(name)) return exact;
    for (auto& [key, value] : object)
        if (equals_ignoring_case(std::string_view(key.data(), key.size()), name)) return &value;
    return nullptr;
}

json::object* open_member(json::object& object, std::string_view name) {
    auto* member = find_member(object, name);
    if (member == nullptr) member = &object[name];
    if (member->is_null()) *member = json::object();
    return member->if_object();
}

}  // namespace skerry::engine::moby
