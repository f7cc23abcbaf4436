// What a module may report (edge-hub.md 6.4).
#include "model/twin.hpp"

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <cstdint>

namespace skerry::model {

namespace json = boost::json;

namespace {
constexpr std::size_t largest_patch = 32768;
constexpr std::size_t deepest = 10;
constexpr std::size_t longest_name = 1024;
constexpr std::size_t longest_value = 4096;
constexpr std::int64_t least_integer = -4503599627370496;
constexpr std::int64_t greatest_integer = 4503599627370495;

std::string at(const std::string& path) { return path.empty() ? "the patch" : fmt::format("property '{}'", path); }

std::string joined(const std::string& path, std::string_view name) {
    return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
}

// The next code point of valid UTF-8.
char32_t next_code_point(std::string_view text, std::size_t& position) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto first = byte(position);
    const std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    char32_t code = length == 1 ? first : first & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length && position + i < text.size(); ++i)
        code = code << 6 | (byte(position + i) & 0x3fU);
    position += length;
    return code;
}

bool is_forbidden(char32_t c) {
    constexpr std::u32string_view spaces = U"\u00a0\u1680\u2028\u2029\u202f\u205f\u3000";
    return c <= 0x20 || (c >= 0x7f && c <= 0x9f) || c == U'.' || c == U'$' || c == U'#' ||
           (c >= 0x2000 && c <= 0x200a) || spaces.find(c) != std::u32string_view::npos;
}

Result<> validate_name(std::string_view name, const std::string& path) {
    if (name.size() > longest_name)
        return fail(Errc::malformed,
                    fmt::format("{} has a member whose name has more than {} bytes", at(path), longest_name));
    for (std::size_t position = 0; position < name.size();) {
        if (is_forbidden(next_code_point(name, position)))
            return fail(Errc::malformed,
                        fmt::format("the name of {} has a control character, white space, '.', '$' or '#'",
                                    at(joined(path, name))));
    }
    return {};
}

enum class Within { members, array };

Result<> validate_value(const json::value& value, const std::string& path, std::size_t depth, Within within);

Result<> validate_object(const json::object& object, const std::string& path, std::size_t depth, Within within) {
    for (const auto& [name, value] : object) {
        if (auto ok = validate_name(name, path); !ok) return ok;
        if (auto ok = validate_value(value, joined(path, name), depth + 1, within); !ok) return ok;
    }
    return {};
}

Result<> validate_array(const json::array& array, const std::string& path, std::size_t depth) {
    for (std::size_t i = 0; i < array.size(); ++i)
        if (auto ok = validate_value(array[i], fmt::format("{}[{}]", path, i), depth + 1, Within::array); !ok)
            return ok;
    return {};
}

Result<> validate_value(const json::value& value, const std::string& path, std::size_t depth, Within within) {
    if (value.is_structured() && depth > deepest)
        return fail(Errc::malformed, fmt::format("{} is nested deeper than {} levels", at(path), deepest));
    if (value.is_object()) return validate_object(value.get_object(), path, depth, within);
    if (value.is_array()) return validate_array(value.get_array(), path, depth);
    if (value.is_null() && within == Within::array)
        return fail(Errc::malformed, fmt::format("{} is null inside an array", at(path)));
    if (value.is_string() && value.get_string().size() > longest_value)
        return fail(Errc::malformed, fmt::format("{} is a text of more than {} bytes", at(path), longest_value));
    const bool too_small = value.is_int64() && value.get_int64() < least_integer;
    const bool too_great = value.is_uint64() ? value.get_uint64() > std::uint64_t{greatest_integer}
                                             : value.is_int64() && value.get_int64() > greatest_integer;
    if (too_small || too_great)
        return fail(Errc::malformed, fmt::format("{} is an integer outside {} to {}; report it as text", at(path),
                                                 least_integer, greatest_integer));
    return {};
}
}  // namespace

Result<> validate_reported(const json::object& patch) {
    const auto size = json::serialize(patch).size();
    if (size > largest_patch)
        return fail(Errc::malformed, fmt::format("the patch has {} bytes; {} are allowed", size, largest_patch));
    return validate_object(patch, {}, 0, Within::members);
}

}  // namespace skerry::model
