#include "cloud/registry/twin_document.hpp"

#include "model/twin.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace skerry::cloud {

namespace json = boost::json;

namespace {
constexpr std::int64_t largest_integer = 4503599627370495;

struct Stamp {
    std::string time;
    std::int64_t version;
    bool with_version;

    void put(json::object& metadata) const {
        metadata["$lastUpdated"] = time;
        if (with_version) metadata["$lastUpdatedVersion"] = version;
    }
};

Stamp stamp_of(const TwinSection& section, SectionKind kind, WallTime now) {
    return Stamp{format_rfc3339(now, 7), section.version, kind == SectionKind::desired};
}

// `metadata` follows what merge_patch does to the values.
void stamp_patch(json::object& metadata, const json::object& before, const json::object& patch, const Stamp& stamp) {
    static const json::object none;
    stamp.put(metadata);
    for (const auto& [name, change] : patch) {
        if (change.is_null()) {
            metadata.erase(name);
            continue;
        }
        const auto* old = before.if_contains(name);
        const bool merges = change.is_object() && old != nullptr && old->is_object();
        auto& member = metadata[name];
        if (!merges || !member.is_object()) member = json::object();
        if (change.is_object())
            stamp_patch(member.get_object(), merges ? old->get_object() : none, change.get_object(), stamp);
        else
            stamp.put(member.get_object());
    }
}

Outcome<> check_name(std::string_view name, const std::string& path) {
    if (name.empty()) return refuse(HubCode::argument_invalid, fmt::format("{}: a property has an empty name", path));
    if (name.size() > longest_twin_name)
        return refuse(HubCode::argument_invalid, fmt::format("{}: a property's name has {} bytes, the limit is {}",
                                                             path, name.size(), longest_twin_name));
    const auto bad = std::ranges::find_if(name, [](char c) {
        return c == '.' || c == '$' || c == ' ' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
    if (bad != name.end())
        return refuse(HubCode::argument_invalid,
                      fmt::format("{}: the name '{}' may not have '.', '$', spaces or control characters", path, name));
    return {};
}

Outcome<> check_value(const json::value& value, const std::string& path, std::size_t depth) {
    if (depth > deepest_section)
        return refuse(HubCode::argument_invalid, fmt::format("{}: deeper than {} levels", path, deepest_section));
    if (const auto* text = value.if_string(); text != nullptr && text->size() > longest_twin_text)
        return refuse(HubCode::argument_invalid,
                      fmt::format("{}: a text of {} bytes, the limit is {}", path, text->size(), longest_twin_text));
    if (const auto* number = value.if_int64();
        number != nullptr && (*number > largest_integer || *number < -largest_integer - 1))
        return refuse(HubCode::argument_invalid, fmt::format("{}: integers must be within ±2^52", path));
    if (value.is_uint64())
        return refuse(HubCode::argument_invalid, fmt::format("{}: integers must be within ±2^52", path));
    if (const auto* object = value.if_object()) {
        for (const auto& [name, member] : *object) {
            if (auto named = check_name(name, path); !named) return named;
            if (auto fits = check_value(member, fmt::format("{}.{}", path, std::string_view(name)), depth + 1); !fits)
                return fits;
        }
    }
    if (const auto* array = value.if_array()) {
        for (const auto& element : *array)
            if (auto fits = check_value(element, path + "[]", depth + 1); !fits) return fits;
    }
    return {};
}

// In a whole section a null means that the member is not there.
json::object without_nulls(const json::object& values) {
    json::object kept;
    model::merge_patch(kept, values);
    return kept;
}
}  // namespace

TwinSection empty_section(SectionKind kind, WallTime now) {
    TwinSection section;
    stamp_of(section, kind, now).put(section.metadata);
    return section;
}

json::object without_system_members(json::object values) {
    values.erase("$metadata");
    values.erase("$version");
    return values;
}

void patch_section(TwinSection& section, SectionKind kind, json::object patch, WallTime now) {
    patch = without_system_members(std::move(patch));
    ++section.version;
    stamp_patch(section.metadata, section.values, patch, stamp_of(section, kind, now));
    model::merge_patch(section.values, patch);
}

void replace_section(TwinSection& section, SectionKind kind, json::object values, WallTime now) {
    values = without_nulls(without_system_members(std::move(values)));
    ++section.version;
    section.metadata.clear();
    stamp_patch(section.metadata, {}, values, stamp_of(section, kind, now));
    section.values = std::move(values);
}

json::object service_view(const TwinSection& section) {
    auto view = section.values;
    view["$metadata"] = section.metadata;
    view["$version"] = section.version;
    return view;
}

json::object device_view(const TwinSection& section) {
    auto view = section.values;
    view["$version"] = section.version;
    return view;
}

Outcome<> check_values(const json::object& values, std::string_view section) {
    for (const auto& [name, member] : values) {
        const auto path = fmt::format("{}.{}", section, std::string_view(name));
        if (auto named = check_name(name, std::string(section)); !named) return named;
        if (auto fits = check_value(member, path, 1); !fits) return fits;
    }
    return {};
}

Outcome<> check_size(const json::object& values, std::string_view section, std::size_t limit) {
    const auto size = json::serialize(values).size();
    if (size <= limit) return {};
    return refuse(HubCode::message_too_large,
                  fmt::format("{} would have {} bytes of JSON, the limit is {}", section, size, limit));
}

void set_at_path(json::object& values, std::string_view path, json::value value) {
    auto* object = &values;
    for (auto dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.')) {
        auto& member = (*object)[path.substr(0, dot)];
        if (!member.is_object()) member = json::object();
        object = &member.get_object();
        path.remove_prefix(dot + 1);
    }
    (*object)[path] = std::move(value);
}

}  // namespace skerry::cloud
