#include "model/message.hpp"

#include "base/encoding.hpp"

#include <algorithm>

namespace skerry::model {

namespace {
std::size_t size_of(const Properties& properties) {
    std::size_t size = 0;
    for (const auto& [name, value] : properties) size += name.size() + (value ? value->size() : 0);
    return size;
}
}  // namespace

const std::optional<std::string>* find(const Properties& properties, std::string_view name) {
    const auto at =
        std::ranges::find(properties, name, [](const auto& entry) { return std::string_view(entry.first); });
    return at == properties.end() ? nullptr : &at->second;
}

const std::optional<std::string>* find_ignoring_case(const Properties& properties, std::string_view name) {
    const auto same = [name](const auto& entry) { return equals_ignoring_case(entry.first, name); };
    const auto at = std::ranges::find_if(properties, same);
    return at == properties.end() ? nullptr : &at->second;
}

std::optional<std::string_view> Message::system_property(std::string_view name) const {
    const auto* value = find(system, name);
    if (value == nullptr || !value->has_value()) return std::nullopt;
    return std::string_view(**value);
}

void Message::set_system_property(std::string_view name, std::string value) {
    for (auto& [existing, old] : system) {
        if (existing == name) {
            old = std::move(value);
            return;
        }
    }
    system.emplace_back(std::string(name), std::move(value));
}

std::size_t Message::size() const { return size_of(properties) + size_of(system) + body.size(); }

}  // namespace skerry::model
