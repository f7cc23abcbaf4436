// The properties of a message, names and values in the order they came, in one piece of memory: a message with many
// costs no more allocations than one with few.
//
// Bounds:   names and values of less than 4 GB each; the callers' limits are far below.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::model {

// Views into the Properties it comes from: valid until those change. The value of a key-only property is nullopt.
struct Property {
    std::string_view name;
    std::optional<std::string_view> value;
    bool operator==(const Property&) const = default;
};

class Properties {
public:
    class Iterator {
    public:
        using iterator_concept = std::forward_iterator_tag;
        using iterator_category = std::input_iterator_tag;  // it gives values, not references
        using value_type = Property;
        using difference_type = std::ptrdiff_t;
        using reference = Property;
        using pointer = void;

        Iterator() = default;
        explicit Iterator(const char* at) : at_(at) {}
        [[nodiscard]] Property operator*() const;
        Iterator& operator++();
        Iterator operator++(int) {
            auto before = *this;
            ++*this;
            return before;
        }
        bool operator==(const Iterator&) const = default;

    private:
        const char* at_{nullptr};
    };

    Properties() = default;
    Properties(std::initializer_list<Property> properties) {
        for (const auto& [name, value] : properties) emplace_back(name, value);
    }

    // The views must not lead into this object.
    void emplace_back(std::string_view name, std::optional<std::string_view> value);
    // Replaces the value of the first property of that name, or appends.
    void set(std::string_view name, std::string_view value);
    // For properties of so many bytes, names and values together.
    void reserve(std::size_t count, std::size_t bytes) { bytes_.reserve(count * header + bytes); }

    template <class Predicate>
    void erase_if(Predicate condemned) {
        Properties kept;
        kept.bytes_.reserve(bytes_.size());
        for (const auto property : *this)
            if (!condemned(property)) kept.emplace_back(property.name, property.value);
        *this = std::move(kept);
    }

    [[nodiscard]] Iterator begin() const { return Iterator(bytes_.data()); }
    [[nodiscard]] Iterator end() const { return Iterator(bytes_.data() + bytes_.size()); }
    [[nodiscard]] std::size_t size() const { return count_; }
    [[nodiscard]] bool empty() const { return count_ == 0; }
    // Of names and values.
    [[nodiscard]] std::size_t bytes() const { return bytes_.size() - count_ * header; }

    bool operator==(const Properties&) const = default;

private:
    static constexpr std::size_t header = 2 * sizeof(std::uint32_t);  // both sizes, the value's plus 1; 0: no value

    std::string bytes_;
    std::size_t count_{0};
};

// First property of that name: exact, or ignoring ASCII case as the routing language does.
[[nodiscard]] std::optional<Property> find(const Properties& properties, std::string_view name);
[[nodiscard]] std::optional<Property> find_ignoring_case(const Properties& properties, std::string_view name);

}  // namespace skerry::model
