// Properties in one piece of memory must behave as a list of names and values does.
#include "model/properties.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

using namespace skerry;

namespace {
using Plain = std::vector<std::pair<std::string, std::optional<std::string>>>;

Plain plain(const model::Properties& properties) {
    Plain out;
    for (const auto property : properties)
        out.emplace_back(property.name, property.value ? std::optional<std::string>(*property.value) : std::nullopt);
    return out;
}

// Few names, so that they come twice and differ in case only.
rc::Gen<std::string> any_name() { return rc::gen::element<std::string>("a", "A", "b", "bb", "", "ä"); }

Plain any_plain() {
    Plain out;
    const auto values = *rc::gen::container<std::vector<std::pair<std::string, rc::Maybe<std::string>>>>(
        rc::gen::pair(any_name(), rc::gen::maybe(rc::gen::arbitrary<std::string>())));
    for (const auto& [name, value] : values) out.emplace_back(name, value ? std::optional(*value) : std::nullopt);
    return out;
}

model::Properties packed(const Plain& entries) {
    model::Properties out;
    for (const auto& [name, value] : entries) out.emplace_back(name, value);
    return out;
}

std::string lower(std::string text) {
    for (auto& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return text;
}
}  // namespace

TEST_CASE("any names and values come back as they were put in") {
    CHECK(rc::check("unpack(pack(list)) == list", [] {
        const auto entries = any_plain();
        const auto properties = packed(entries);
        RC_ASSERT(plain(properties) == entries);
        RC_ASSERT(properties.size() == entries.size());
        std::size_t bytes = 0;
        for (const auto& [name, value] : entries) bytes += name.size() + (value ? value->size() : 0);
        RC_ASSERT(properties.bytes() == bytes);
        const auto others = any_plain();
        RC_ASSERT((packed(others) == properties) == (others == entries));
    }));
}

TEST_CASE("finding, setting and erasing do what they do to a list") {
    CHECK(rc::check("find", [] {
        const auto entries = any_plain();
        const auto properties = packed(entries);
        const auto wanted = *any_name();
        const auto expect = [&](const std::optional<model::Property>& found, auto matches) {
            const auto first = std::ranges::find_if(entries, matches);
            RC_ASSERT(found.has_value() == (first != entries.end()));
            if (!found) return;
            RC_ASSERT(found->name == first->first);
            RC_ASSERT(found->value.has_value() == first->second.has_value());
            if (found->value) RC_ASSERT(*found->value == *first->second);
        };
        expect(model::find(properties, wanted), [&](const auto& entry) { return entry.first == wanted; });
        expect(model::find_ignoring_case(properties, wanted),
               [&](const auto& entry) { return lower(entry.first) == lower(wanted); });
    }));
    CHECK(rc::check("set and erase_if", [] {
        auto entries = any_plain();
        auto properties = packed(entries);
        const auto name = *any_name();
        const auto value = *rc::gen::arbitrary<std::string>();
        properties.set(name, value);
        const auto first = std::ranges::find(entries, name, &Plain::value_type::first);
        if (first == entries.end())
            entries.emplace_back(name, value);
        else
            first->second = value;
        RC_ASSERT(plain(properties) == entries);

        const auto gone = *any_name();
        properties.erase_if([&](const model::Property& property) { return property.name == gone; });
        std::erase_if(entries, [&](const auto& entry) { return entry.first == gone; });
        RC_ASSERT(plain(properties) == entries);
    }));
}
