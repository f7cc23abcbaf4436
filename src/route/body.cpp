#include "route/body.hpp"

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <charconv>
#include <cstdint>
#include <limits>

namespace skerry::route {

namespace json = boost::json;

namespace {
std::unexpected<Error> bad_path(std::string_view text, std::string_view what) {
    return fail(Errc::malformed, fmt::format("'$body.{}' is no path into a body: {}", text, what));
}

bool is_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

Result<BodyStep> parse_step(std::string_view text, std::string_view part) {
    BodyStep step;
    const auto open = part.find('[');
    const auto name = part.substr(0, open);
    if (name.empty()) return bad_path(text, "a name is missing");
    if (is_number(name)) return bad_path(text, fmt::format("'{}' is a number where a name is expected", name));
    if (name == "*" || name == "$") return bad_path(text, fmt::format("'{}' is not supported", name));
    if (name.find(']') != std::string_view::npos) return bad_path(text, "']' without '['");
    step.name = name;
    if (open == std::string_view::npos) return step;
    const auto close = part.find(']', open);
    if (close == std::string_view::npos || close + 1 != part.size())
        return bad_path(text, "after a name there may be one index like [0]");
    const auto digits = part.substr(open + 1, close - open - 1);
    std::int32_t index = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    if (!is_number(digits) || error != std::errc()) return bad_path(text, "an index must be a whole number");
    step.index = static_cast<std::size_t>(index);
    return step;
}

Value to_value(const json::value& value) {
    switch (value.kind()) {
        case json::kind::null: return null_value();
        case json::kind::bool_: return make_value(value.get_bool());
        case json::kind::int64: return make_value(static_cast<double>(value.get_int64()));
        case json::kind::uint64: return make_value(static_cast<double>(value.get_uint64()));
        case json::kind::double_: return make_value(value.get_double());
        case json::kind::string: {
            const std::string_view text = value.get_string();
            return looks_like_date(text) ? undefined_value() : make_value(text);
        }
        case json::kind::array:
        case json::kind::object: break;
    }
    return undefined_value();
}
}  // namespace

Result<BodyPath> parse_body_path(std::string_view text) {
    BodyPath path;
    auto rest = text;
    for (;;) {
        const auto dot = rest.find('.');
        auto step = parse_step(text, rest.substr(0, dot));
        if (!step) return fail(step.error());
        path.push_back(std::move(*step));
        if (dot == std::string_view::npos) return path;
        rest.remove_prefix(dot + 1);
    }
}

Value find_in_body(const json::object& body, const BodyPath& path) {
    const json::object* object = &body;
    const json::value* value = nullptr;
    for (const auto& step : path) {
        value = object == nullptr ? nullptr : object->if_contains(step.name);
        if (value != nullptr && step.index) {
            const auto* array = value->if_array();
            value = array == nullptr ? nullptr : array->if_contains(*step.index);
        }
        if (value == nullptr) return missing_value();
        object = value->if_object();
    }
    return value == nullptr ? missing_value() : to_value(*value);
}

}  // namespace skerry::route
