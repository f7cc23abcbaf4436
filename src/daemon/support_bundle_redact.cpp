// What must not leave the device.
#include "daemon/support_bundle.hpp"

#include "base/encoding.hpp"
#include "model/twin.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>
#include <string_view>

namespace skerry::daemon {

namespace json = boost::json;

namespace {

constexpr std::string_view stars = "****";

constexpr std::array<std::string_view, 8> parts_of_names{"key",        "password",   "secret", "token",
                                                         "credential", "connection", "auth",   "signature"};
constexpr std::array<std::string_view, 4> names{"pin", "pass", "pk", "value"};
// Names of members whose members have any names.
constexpr std::array<std::string_view, 5> free_names{"env", "auth", "authentication", "registrycredentials",
                                                     "preloaded_keys"};

bool sounds_secret(std::string_view name) {
    const auto lower = to_lower(name);
    if (std::ranges::find(names, lower) != names.end() || lower.ends_with("_pk")) return true;
    return std::ranges::any_of(parts_of_names, [&](std::string_view part) { return lower.contains(part); });
}

json::value without_value(std::string_view text);

json::value hide(const json::value& value) {
    if (const auto* object = value.if_object()) {
        json::object out;
        for (const auto& [name, member] : *object) out[name] = hide(member);
        return out;
    }
    if (const auto* array = value.if_array()) {
        json::array out;
        for (const auto& item : *array) {
            const auto* text = item.if_string();
            out.push_back(text != nullptr && text->find('=') != text->npos ? without_value(*text) : hide(item));
        }
        return out;
    }
    return json::value(stars);
}

json::value redact(std::string_view name, const json::value& value);

json::object redact(const json::object& object) {
    json::object out;
    for (const auto& [name, value] : object) out[name] = redact(name, value);
    return out;
}

// "NAME=value", "--password=…", as environments and command lines have it.
json::value without_value(std::string_view text) {
    return json::value(std::string(text.substr(0, text.find('='))) + "=" + std::string(stars));
}

// http://user:password@proxy
std::string without_user(std::string_view text) {
    const auto scheme = text.find("://");
    const auto at = scheme == text.npos ? text.npos : text.find('@', scheme);
    if (at == text.npos || text.substr(scheme + 3, at - scheme - 3).contains('/')) return std::string(text);
    return std::string(text.substr(0, scheme + 3)) + std::string(stars) + std::string(text.substr(at));
}

// A label may hold a document of its own.
json::value redact_text(std::string_view name, std::string_view text) {
    if (sounds_secret(name)) return json::value(stars);
    if (to_lower(name).ends_with(".env")) return json::value(text == "{}" ? text : stars);
    if (const auto equals = text.find('='); equals != text.npos && sounds_secret(text.substr(0, equals)))
        return without_value(text);
    if (!text.starts_with('{')) return json::value(without_user(text));
    const auto inner = model::parse_object(text);
    return inner ? json::value(json::serialize(redact(*inner))) : json::value(stars);
}

// A command line may have a secret in the word after its option: "--password", "x".
json::array redact_words(std::string_view name, const json::array& words) {
    json::array out;
    bool secret_follows = false;
    for (const auto& word : words) {
        const auto text = word.is_string() ? std::string_view(word.get_string()) : std::string_view();
        out.push_back(secret_follows ? json::value(stars) : redact(name, word));
        secret_follows = text.starts_with('-') && !text.contains('=') &&
                         sounds_secret(text.substr(std::min(text.find_first_not_of('-'), text.size())));
    }
    return out;
}

json::value redact(std::string_view name, const json::value& value) {
    if (std::ranges::find(free_names, to_lower(name)) != free_names.end()) return hide(value);
    if (const auto* object = value.if_object()) return redact(*object);
    if (const auto* text = value.if_string()) return redact_text(name, *text);
    if (const auto* array = value.if_array()) { return redact_words(name, *array); }
    return value;
}

}  // namespace

json::object redacted(const json::object& document) { return redact(document); }

}  // namespace skerry::daemon
