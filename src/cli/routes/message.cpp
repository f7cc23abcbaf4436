#include "cli/routes/message.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <fmt/core.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace skerry::cli {

namespace json = boost::json;

namespace {
Result<model::Properties> read_properties(const json::object& message, std::string_view name) {
    model::Properties out;
    const auto* const found = message.if_contains(name);
    if (found == nullptr || found->is_null()) return out;
    if (!found->is_object()) return fail(Errc::malformed, fmt::format("message.{} must be an object", name));
    for (const auto& [key, value] : found->get_object()) {
        if (!value.is_string() && !value.is_null())
            return fail(Errc::malformed, fmt::format("message.{}.{} must be a string or null", name,
                                                     std::string_view(key.data(), key.size())));
        out.emplace_back(key, value.is_string() ? std::optional<std::string_view>(value.get_string()) : std::nullopt);
    }
    return out;
}
}  // namespace

Result<model::Message> read_message(const json::value& json) {
    model::Message message;
    if (!json.is_object()) return fail(Errc::malformed, "message must be an object");
    const auto& object = json.get_object();
    for (const auto& [key, value] : object)  // a slip in a name would change what conditions see
        if (key != "body" && key != "properties" && key != "systemProperties")
            return fail(Errc::malformed,
                        fmt::format("message.{} is unknown; a message has body, properties and systemProperties",
                                    std::string_view(key.data(), key.size())));
    if (const auto* const body = object.if_contains("body"); body != nullptr && !body->is_null()) {
        if (!body->is_string()) return fail(Errc::malformed, "message.body must be a string");
        message.body = std::string(body->get_string());
    }
    auto properties = read_properties(object, "properties");
    if (!properties) return fail(properties.error());
    auto system = read_properties(object, "systemProperties");
    if (!system) return fail(system.error());
    message.properties = std::move(*properties);
    message.system = std::move(*system);
    return message;
}

}  // namespace skerry::cli
