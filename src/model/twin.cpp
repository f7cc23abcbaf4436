#include "model/twin.hpp"

#include <fmt/format.h>
#include <boost/json/object.hpp>
#include <boost/json/parser.hpp>
#include <boost/json/value.hpp>

namespace skerry::model {

namespace json = boost::json;

void merge_patch(json::object& document, const json::object& patch, Nulls nulls) {
    for (const auto& [name, change] : patch) {
        if (change.is_null() && nulls == Nulls::remove) {
            document.erase(name);
        } else if (change.is_object()) {
            auto& member = document[name];
            if (!member.is_object()) member = json::object();
            merge_patch(member.get_object(), change.get_object(), nulls);
        } else {
            document[name] = change;
        }
    }
}

json::object diff(const json::object& before, const json::object& after) {
    json::object patch;
    for (const auto& [name, value] : after) {
        const auto* old = before.if_contains(name);
        if (value.is_null()) continue;  // in a document null means absent
        if (old != nullptr && old->is_object() && value.is_object()) {
            auto inner = diff(old->get_object(), value.get_object());
            if (!inner.empty()) patch[name] = std::move(inner);
        } else if (old == nullptr || *old != value) {
            patch[name] = value;
        }
    }
    for (const auto& [name, value] : before) {
        const auto* now = after.if_contains(name);
        if (!value.is_null() && (now == nullptr || now->is_null())) patch[name] = nullptr;
    }
    return patch;
}

Result<json::object> parse_object(std::string_view text) {
    json::parse_options options;
    options.max_depth = 64;
    json::parser parser({}, options);
    json::error_code error;
    const auto consumed = parser.write(text.data(), text.size(), error);
    if (error) {
        return fail(Errc::malformed, fmt::format("invalid JSON at offset {}: {}", consumed, error.message()));
    }
    auto value = parser.release();
    if (!value.is_object()) return fail(Errc::malformed, "the JSON text is no object");
    return std::move(value.get_object());
}

}  // namespace skerry::model
