#include "daemon/http_api.hpp"

#include "base/encoding.hpp"
#include "model/twin.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>

namespace skerry::daemon {

namespace json = boost::json;
using codec::HttpRequest;
using codec::HttpResponse;

HttpResponse answer(unsigned status, const json::object& body) {
    HttpResponse response;
    response.status = status;
    response.headers.set("Content-Type", "application/json");
    response.body = json::serialize(body);
    return response;
}

HttpResponse no_content() {
    HttpResponse response;
    response.status = 204;
    return response;
}

HttpResponse refuse(unsigned status, std::string_view message) { return answer(status, {{"message", message}}); }

HttpResponse refuse(const Error& error) {
    // No default: a new code must be decided on.
    switch (error.code) {
        case Errc::malformed:
        case Errc::unsupported: return refuse(400, error.text);
        case Errc::unauthorized: return refuse(403, error.text);
        case Errc::not_found: return refuse(404, error.text);
        case Errc::conflict: return refuse(409, error.text);
        case Errc::full:
        case Errc::unreachable:
        case Errc::timeout:
        case Errc::closed:
        case Errc::io:
        case Errc::internal: break;
    }
    return refuse(500, error.text);
}

std::expected<std::size_t, HttpResponse> version_of(const HttpRequest& request) {
    const auto text = request.query("api-version");
    if (!text) return std::unexpected(refuse(400, "api-version not specified"));
    const auto* const found = std::ranges::find(api_versions, *text);
    if (found == api_versions.end()) return std::unexpected(refuse(400, "invalid api-version \"" + *text + "\""));
    return static_cast<std::size_t>(found - api_versions.begin());
}

std::optional<std::vector<std::string>> match(std::string_view pattern, const std::vector<std::string>& segments) {
    std::vector<std::string> arguments;
    std::size_t at = 0;
    bool one_segment = pattern.find('/') == pattern.npos;
    while (!pattern.empty()) {
        const auto slash = pattern.find('/');
        const auto part = pattern.substr(0, slash);
        pattern.remove_prefix(slash == pattern.npos ? pattern.size() : slash + 1);
        if (at >= segments.size()) return std::nullopt;
        if (part == "*" && !segments[at].empty())
            arguments.push_back(segments[at]);
        else if (part != segments[at])
            return std::nullopt;
        ++at;
    }
    if (one_segment && at + 1 == segments.size() && segments[at].empty()) ++at;
    if (at != segments.size()) return std::nullopt;
    return arguments;
}

std::expected<json::object, HttpResponse> body_of(const HttpRequest& request) {
    if (request.body.empty()) return std::unexpected(refuse(400, "missing request body"));
    const auto type = to_lower(request.headers.find("Content-Type").value_or(""));
    if (!type.starts_with("application/json")) {
        if (request.method == "PUT") return std::unexpected(refuse(415, "request body must be application/json"));
        return std::unexpected(refuse(400, "missing request body"));
    }
    auto body = model::parse_object(request.body);
    if (!body) return std::unexpected(refuse(422, body.error().text));
    return std::move(*body);
}

Result<std::string> base64_member(const json::object& body, std::string_view name) {
    const auto* const found = body.if_contains(name);
    const auto bytes = found != nullptr && found->is_string() ? base64_decode(found->get_string()) : std::nullopt;
    if (!bytes) return fail(Errc::malformed, "invalid " + std::string(name));
    return *bytes;
}

Duration preferred_wait(std::string_view prefer) {
    constexpr std::string_view name = "wait=";
    constexpr std::chrono::seconds longest = std::chrono::days(1);
    while (!prefer.empty()) {
        const auto comma = prefer.find(',');
        auto preference = prefer.substr(0, comma);
        prefer.remove_prefix(comma == prefer.npos ? prefer.size() : comma + 1);
        preference.remove_prefix(std::min(preference.find_first_not_of(' '), preference.size()));
        if (!preference.starts_with(name)) continue;
        preference.remove_prefix(name.size());
        std::uint32_t seconds = 0;
        const auto [end, failed] = std::from_chars(preference.data(), preference.data() + preference.size(), seconds);
        return failed == std::errc{} ? std::min<Duration>(std::chrono::seconds(seconds), longest) : Duration{};
    }
    return {};
}

}  // namespace skerry::daemon
