#include "agent/methods.hpp"

#include "base/encoding.hpp"
#include "model/schema_version.hpp"
#include "model/twin.hpp"

#include <fmt/core.h>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <expected>
#include <string_view>
#include <utility>

namespace skerry::agent {

namespace json = boost::json;

namespace {

iothub::MethodResponse refusal(int status, std::string text) {
    return {.status = status, .payload = json::serialize(json::object{{"message", std::move(text)}})};
}

iothub::MethodResponse done() { return {.status = 200, .payload = "null"}; }

std::string text_member(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

// The module that a RestartModule request names.
std::expected<std::string, iothub::MethodResponse> module_to_restart(const std::string& payload) {
    if (payload.empty() || payload == "null") return std::unexpected(refusal(400, "Request payload not found"));
    const auto request = model::parse_object(payload);
    if (!request)
        return std::unexpected(
            refusal(400, "Error parsing command payload because of error - " + request.error().text));
    const auto written = text_member(*request, "schemaVersion");
    const auto version = model::parse_schema_version(written);
    if (!version)
        return std::unexpected(refusal(400, fmt::format("schemaVersion: '{}' is no version; use \"1.0\"", written)));
    if (version->major != 1)
        return std::unexpected(refusal(500, fmt::format("schemaVersion: {} is not compatible with 1.0", written)));
    auto id = text_member(*request, "id");
    if (id.empty()) return std::unexpected(refusal(400, "id: the name of the module to restart is missing"));
    return id;
}

}  // namespace

Task<iothub::MethodResponse> answer_method(iothub::MethodRequest request, ModuleRuntime& runtime,
                                           std::function<bool(const std::string& module)> knows) {
    if (equals_ignoring_case(request.method, "ping")) co_return done();
    if (!equals_ignoring_case(request.method, "RestartModule"))
        co_return refusal(400, fmt::format("Command '{}' not found. The supported commands are - ping,RestartModule",
                                           request.method));
    auto module = module_to_restart(request.payload);
    if (!module) co_return std::move(module).error();
    if (!knows(*module)) co_return refusal(500, fmt::format("Module {} not found in the current environment", *module));
    const auto restarted = co_await runtime.restart(*module);
    if (!restarted) co_return refusal(500, restarted.error().text);
    co_return done();
}

}  // namespace skerry::agent
