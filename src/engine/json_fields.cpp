#include "engine/json_fields.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace skerry::engine {

Result<std::vector<std::string>> string_list(const boost::json::value& value, std::string_view field) {
    const auto malformed = [&] {
        return fail(Errc::malformed, std::string(field) + ": must be a list of strings without zero bytes");
    };
    const auto usable = [](const boost::json::value& item) {
        return item.is_string() && item.get_string().find('\0') == boost::json::string::npos;
    };
    std::vector<std::string> out;
    if (value.is_null()) return out;
    if (value.is_string()) {
        if (!usable(value)) return malformed();
        out.emplace_back(value.get_string());
        return out;
    }
    if (!value.is_array()) return malformed();
    for (const auto& item : value.get_array()) {
        if (!usable(item)) return malformed();
        out.emplace_back(item.get_string());
    }
    return out;
}

Result<std::map<std::string, std::string>> environment_of(const boost::json::value& value, std::string_view field) {
    const auto list = string_list(value, field);
    if (!list) return std::unexpected(list.error());
    std::map<std::string, std::string> out;
    for (const auto& entry : *list) {
        const auto equals = entry.find('=');
        if (equals == 0 || entry.empty())
            return fail(Errc::malformed, std::string(field) + ": an entry has no name before its '='");
        out[entry.substr(0, equals)] = equals == entry.npos ? std::string() : entry.substr(equals + 1);
    }
    return out;
}

bool is_unset(const boost::json::value& value) {
    switch (value.kind()) {
        case boost::json::kind::null: return true;
        case boost::json::kind::bool_: return !value.get_bool();
        case boost::json::kind::int64: return value.get_int64() == 0;
        case boost::json::kind::uint64: return value.get_uint64() == 0;
        case boost::json::kind::double_: return value.get_double() == 0;
        case boost::json::kind::string: return value.get_string().empty();
        case boost::json::kind::array: return value.get_array().empty();
        case boost::json::kind::object: return value.get_object().empty();
    }
    return false;
}

}  // namespace skerry::engine
