#include "cli/route_lines.hpp"

#include "model/message.hpp"
#include "route/route.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <fmt/core.h>

namespace skerry::cli {

namespace json = boost::json;

namespace {
std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

Result<model::Properties> read_properties(const json::object& message, std::string_view name) {
    model::Properties out;
    const auto* const found = message.if_contains(name);
    if (found == nullptr || found->is_null()) return out;
    if (!found->is_object()) return fail(Errc::malformed, fmt::format("message.{} must be an object", name));
    for (const auto& [key, value] : found->get_object()) {
        if (!value.is_string() && !value.is_null())
            return fail(Errc::malformed, fmt::format("message.{}.{} must be a string or null", name,
                                                     std::string_view(key.data(), key.size())));
        out.emplace_back(key, value.is_string() ? std::optional<std::string>(value.get_string()) : std::nullopt);
    }
    return out;
}

Result<model::Message> read_message(const json::object& line) {
    model::Message message;
    const auto* const found = line.if_contains("message");
    if (found == nullptr) return message;
    if (!found->is_object()) return fail(Errc::malformed, "message must be an object");
    const auto& object = found->get_object();
    if (const auto* const body = object.if_contains("body"); body != nullptr && !body->is_null()) {
        if (!body->is_string()) return fail(Errc::malformed, "message.body must be a string");
        message.body = view(body->get_string());
    }
    auto properties = read_properties(object, "properties");
    if (!properties) return std::unexpected(properties.error());
    auto system = read_properties(object, "systemProperties");
    if (!system) return std::unexpected(system.error());
    message.properties = std::move(*properties);
    message.system = std::move(*system);
    return message;
}

Result<route::Truth> evaluate(std::string_view text) {
    json::error_code error;
    const auto line = json::parse(json::string_view(text.data(), text.size()), error);
    if (error) return fail(Errc::malformed, "the line is not JSON: " + error.message());
    if (!line.is_object()) return fail(Errc::malformed, "the line must be a JSON object");
    const auto* const condition = line.get_object().if_contains("condition");
    if (condition == nullptr || !condition->is_string())
        return fail(Errc::malformed, "condition must be there, and a string");
    const auto compiled = route::Condition::compile(view(condition->get_string()));
    if (!compiled) return std::unexpected(compiled.error());
    const auto message = read_message(line.get_object());
    if (!message) return std::unexpected(message.error());
    return compiled->evaluate(route::MessageView(*message));
}
}  // namespace

std::string evaluate_line(std::string_view line) {
    const auto truth = evaluate(line);
    if (truth) return json::serialize(json::object{{"result", json::string_view(route::name_of(*truth))}});
    return json::serialize(json::object{{"error", truth.error().text}});
}

}  // namespace skerry::cli
