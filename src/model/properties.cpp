#include "model/properties.hpp"

#include "base/encoding.hpp"

#include <cstring>

namespace skerry::model {

namespace {
struct Sizes {
    std::uint32_t name;
    std::uint32_t value;  // plus 1; 0: there is none
    [[nodiscard]] std::size_t value_bytes() const { return value == 0 ? 0 : value - 1; }
};

Sizes sizes_at(const char* at) {
    Sizes sizes{};
    std::memcpy(&sizes, at, sizeof sizes);
    return sizes;
}
}  // namespace

Property Properties::Iterator::operator*() const {
    const auto sizes = sizes_at(at_);
    const auto* const name = at_ + header;
    Property property{{name, sizes.name}, std::nullopt};
    if (sizes.value > 0) property.value.emplace(name + sizes.name, sizes.value_bytes());
    return property;
}

Properties::Iterator& Properties::Iterator::operator++() {
    const auto sizes = sizes_at(at_);
    at_ += header + sizes.name + sizes.value_bytes();
    return *this;
}

void Properties::emplace_back(std::string_view name, std::optional<std::string_view> value) {
    const Sizes sizes{static_cast<std::uint32_t>(name.size()),
                      value ? static_cast<std::uint32_t>(value->size() + 1) : 0};
    static_assert(sizeof sizes == header);
    const auto at = bytes_.size();
    const auto size = at + header + name.size() + sizes.value_bytes();
    // Not the size it is given: libstdc++ 12 gives the new capacity.
    bytes_.resize_and_overwrite(size, [&](char* bytes, std::size_t) {
        char* to = bytes + at;
        std::memcpy(to, &sizes, header);
        to += header;
        if (!name.empty()) std::memcpy(to, name.data(), name.size());
        if (value && !value->empty()) std::memcpy(to + name.size(), value->data(), value->size());
        return size;
    });
    ++count_;
}

void Properties::set(std::string_view name, std::string_view value) {
    if (!find(*this, name)) return emplace_back(name, value);
    Properties changed;
    changed.reserve(count_, bytes() + value.size());
    bool done = false;
    for (const auto property : *this) {
        const bool replaced = !done && property.name == name;
        changed.emplace_back(property.name, replaced ? std::optional(value) : property.value);
        done |= replaced;
    }
    *this = std::move(changed);
}

std::optional<Property> find(const Properties& properties, std::string_view name) {
    for (const auto property : properties)
        if (property.name == name) return property;
    return std::nullopt;
}

std::optional<Property> find_ignoring_case(const Properties& properties, std::string_view name) {
    for (const auto property : properties)
        if (property.name.size() == name.size() && equals_ignoring_case(property.name, name)) return property;
    return std::nullopt;
}

}  // namespace skerry::model
