// Telemetry over HTTPS (1.8): answered when it is on disk.
#include "cloud/rest/rest.hpp"

#include "base/encoding.hpp"

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <array>

namespace skerry::cloud {

namespace json = boost::json;

namespace {
constexpr std::size_t most_in_batch = 500;
constexpr std::string_view application_prefix = "iothub-app-";

struct SystemHeader {
    std::string_view header;
    std::string_view property;
};
constexpr std::array system_headers{
    SystemHeader{"iothub-messageid", "messageId"},
    SystemHeader{"iothub-correlationid", "cid"},
    SystemHeader{"iothub-userid", "userId"},
    SystemHeader{"iothub-to", "to"},
    SystemHeader{"iothub-expiry", "absolute-expiry-time"},
    SystemHeader{"iothub-contenttype", "contentType"},
    SystemHeader{"iothub-contentencoding", "contentEncoding"},
    SystemHeader{"iothub-interface-id", "iothub-interface-id"},
    SystemHeader{"dt-subject", "dt-subject"},
};

void take_header(model::Message& message, std::string_view name, std::string value) {
    const auto lower = to_lower(name);
    if (lower.starts_with(application_prefix)) {
        message.properties.emplace_back(name.substr(application_prefix.size()), value);
        return;
    }
    for (const auto& known : system_headers)
        if (lower == known.header) message.set_system_property(known.property, value);
}

Outcome<model::Message> message_of_element(const json::value& element) {
    if (!element.is_object()) return refuse(HubCode::format_error, "each message must be an object");
    const auto& object = element.get_object();
    model::Message message;
    const auto* body = object.if_contains("body");
    if (body == nullptr || !body->is_string()) return refuse(HubCode::format_error, "a message has no text 'body'");
    auto bytes = base64_decode(std::string_view(body->get_string()));
    if (!bytes) return refuse(HubCode::format_error, "a message's body is not base64");
    message.body = std::move(*bytes);
    const auto* properties = object.if_contains("properties");
    if (properties == nullptr || !properties->is_object()) return message;
    for (const auto& [name, value] : properties->get_object())
        if (value.is_string()) take_header(message, name, std::string(value.get_string()));
    return message;
}

Outcome<std::vector<model::Message>> messages_of(const codec::HttpRequest& request) {
    std::vector<model::Message> messages;
    const auto type = request.headers.find("Content-Type");
    if (type && to_lower(*type).starts_with("application/vnd.microsoft.iothub.json")) {
        json::error_code error;
        const auto body = json::parse(request.body, error);
        if (error || !body.is_array() || body.get_array().size() > most_in_batch)
            return refuse(HubCode::format_error,
                          fmt::format("a batch must be an array of {} messages at most", most_in_batch));
        for (const auto& element : body.get_array()) {
            auto message = message_of_element(element);
            if (!message) return refuse(message.error());
            messages.push_back(std::move(*message));
        }
        return messages;
    }
    messages.push_back(message_of(request));
    return messages;
}
}  // namespace

model::Message message_of(const codec::HttpRequest& request) {
    model::Message message;
    message.body = request.body;
    for (const auto& [name, value] : request.headers.all()) take_header(message, name, value);
    return message;
}

Rest::Reply Rest::send_events(const Call& call, model::Identity source) {
    if (auto allowed = co_await authorize(call, device_connect, {source}); !allowed) co_return refuse(allowed.error());
    if (!call.is("POST")) co_return refuse(wrong_method(call.request));
    const auto known = co_await hub_.ask([&](Stores& stores) { return stores.registry.find(source); });
    if (!known) co_return refuse(known.error());
    auto messages = messages_of(call.request);
    if (!messages) co_return refuse(messages.error());
    std::size_t size = 0;
    for (const auto& message : *messages) size += message.size();
    if (size > model::largest_message)
        co_return refuse(HubCode::message_too_large,
                         fmt::format("{} bytes; the limit is {}", size, model::largest_message));
    const bool by_token = call.trust == Trust::owner || call.request.headers.find("Authorization");
    std::vector<EventLog::Ticket> tickets;
    for (auto& message : *messages) {
        auto ticket = co_await hub_.events().append({.source = source,
                                                     .generation_id = known->generation_id,
                                                     .auth_scope = source.is_module() ? "module" : "device",
                                                     .auth_type = by_token ? "sas" : "x509",
                                                     .properties = std::move(message.properties),
                                                     .system = std::move(message.system),
                                                     .body = std::move(message.body)});
        if (!ticket) co_return refuse(ticket.error());
        tickets.push_back(std::move(*ticket));
    }
    for (auto& ticket : tickets)
        if (const auto stored = co_await hub_.events().wait(std::move(ticket)); !stored)
            co_return refuse(HubCode::service_unavailable, stored.error().text);
    co_return no_content();
}

}  // namespace skerry::cloud
