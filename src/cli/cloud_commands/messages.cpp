// `skerry cloud message`: what a service sends to a device.
#include "cli/cloud_commands/verbs.hpp"

#include "base/encoding.hpp"

#include <fmt/format.h>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <string_view>

namespace skerry::cli {

namespace json = boost::json;

namespace {
bool is_token(std::string_view name) {
    constexpr std::string_view others = "!#$%&'*+-.^_`|~";
    return !name.empty() && std::ranges::all_of(name, [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || others.contains(c);
    });
}
}  // namespace

Task<Result<>> send_message(CloudAdmin& cloud, CloudVerb verb, Platform platform) {
    codec::HttpRequest request;
    request.method = "POST";
    request.target = fmt::format("/devices/{}/messages/devicebound", percent_encode(verb.device));
    auto& headers = request.headers;
    headers.set("iothub-ack", verb.acknowledgement);
    const auto id = verb.message_id.empty() ? platform.random.uuid() : verb.message_id;
    headers.set("iothub-messageid", id);
    if (verb.expires_after > std::chrono::seconds(0))
        headers.set("iothub-expiry", format_rfc3339(platform.clock.wall() + verb.expires_after, 3));
    for (const auto& property : verb.properties) {
        const auto equals = property.find('=');
        const auto name = property.substr(0, equals);
        if (equals == std::string::npos || !is_token(name))
            co_return fail(Errc::malformed, fmt::format("--property {}: must be NAME=VALUE", property));
        headers.set("iothub-app-" + name, property.substr(equals + 1));
    }
    request.body = std::move(verb.payload);
    const auto sent = co_await cloud.exchange(std::move(request), std::chrono::seconds(30));
    if (!sent) co_return fail(sent.error());
    fmt::print("{}\n", verb.json ? json::serialize(json::object{{"messageId", id}}) : fmt::format("sent {}", id));
    co_return Result<>{};
}

}  // namespace skerry::cli
