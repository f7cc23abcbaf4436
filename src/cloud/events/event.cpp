#include "cloud/events/event.hpp"

#include "base/encoding.hpp"
#include "crypto/crypto.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace skerry::cloud {

namespace json = boost::json;

namespace {
constexpr std::size_t check_digits = 8;
constexpr std::string_view sequence_prefix = R"({"sequence":)";
constexpr std::string_view time_prefix = R"(,"enqueuedTime":")";

struct SystemName {
    std::string_view internal;
    std::string_view event_hubs;
};
constexpr std::array system_names{
    SystemName{"messageId", "message-id"},
    SystemName{"cid", "correlation-id"},
    SystemName{"userId", "user-id"},
    SystemName{"contentType", "content-type"},
    SystemName{"contentEncoding", "content-encoding"},
    SystemName{"creationTime", "iothub-creation-time-utc"},
    SystemName{"messageSchema", "iothub-message-schema"},
};

std::string_view event_hubs_name(std::string_view internal) {
    for (const auto& name : system_names)
        if (name.internal == internal) return name.event_hubs;
    return internal;
}

json::object to_object(const model::Properties& properties) {
    json::object object;
    for (const auto& [name, value] : properties)
        object[name] = value ? json::value(json::string_view(*value)) : json::value(nullptr);
    return object;
}
}  // namespace

json::object event_json(const Telemetry& event, std::uint64_t sequence, WallTime enqueued) {
    const auto time = format_rfc3339(enqueued, 3);
    json::object object;
    object["sequence"] = sequence;
    object["enqueuedTime"] = time;
    object["deviceId"] = event.source.device_id();
    if (event.source.is_module()) object["moduleId"] = event.source.module_id();
    object["properties"] = to_object(event.properties);

    json::object system;
    for (const auto& [name, value] : event.system)
        if (value) system[event_hubs_name(name)] = json::string_view(*value);
    system["iothub-connection-device-id"] = event.source.device_id();
    if (event.source.is_module()) system["iothub-connection-module-id"] = event.source.module_id();
    system["iothub-connection-auth-generation-id"] = event.generation_id;
    system["iothub-connection-auth-method"] =
        fmt::format(R"({{"scope":"{}","type":"{}","issuer":"{}","acceptingIpFilterRule":null}})", event.auth_scope,
                    event.auth_type, event.auth_type == "x509" ? "external" : "iothub");
    system["iothub-enqueuedtime"] = time;
    system["iothub-message-source"] = "Telemetry";
    object["systemProperties"] = std::move(system);

    if (is_utf8(event.body))
        object["body"] = event.body;
    else
        object["bodyBase64"] = base64_encode(event.body);
    return object;
}

std::string event_line(const json::object& object) {
    const auto text = json::serialize(object);
    return hex_encode(crypto::sha256(text)).substr(0, check_digits) + ' ' + text + '\n';
}

std::optional<std::string_view> checked_text(std::string_view line) {
    if (line.size() < check_digits + 1 || line[check_digits] != ' ') return std::nullopt;
    const auto text = line.substr(check_digits + 1);
    if (hex_encode(crypto::sha256(text)).substr(0, check_digits) != line.substr(0, check_digits)) return std::nullopt;
    return text;
}

std::optional<LineHead> head_of(std::string_view text) {
    if (!text.starts_with(sequence_prefix)) return std::nullopt;
    text.remove_prefix(sequence_prefix.size());
    LineHead head;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), head.sequence);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (!text.starts_with(time_prefix)) return std::nullopt;
    text.remove_prefix(time_prefix.size());
    const auto time = parse_rfc3339(text.substr(0, text.find('"')));
    if (!time) return std::nullopt;
    head.enqueued = *time;
    return head;
}

}  // namespace skerry::cloud
