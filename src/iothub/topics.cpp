#include "iothub/topics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace skerry::iothub {

namespace {
constexpr std::string_view twin_get = "$iothub/twin/GET/";
constexpr std::string_view twin_report = "$iothub/twin/PATCH/properties/reported/";
constexpr std::string_view twin_response = "$iothub/twin/res/";
constexpr std::string_view desired_patch = "$iothub/twin/PATCH/properties/desired/";
constexpr std::string_view method_request = "$iothub/methods/POST/";
constexpr std::string_view method_response = "$iothub/methods/res/";

std::unexpected<Error> malformed(std::string_view what) { return fail(Errc::malformed, std::string(what)); }

bool take(std::string_view& rest, std::string_view prefix) {
    if (!rest.starts_with(prefix)) return false;
    rest.remove_prefix(prefix.size());
    return true;
}

// Up to the next '/', which is taken too; nullopt for an empty segment.
std::optional<std::string_view> take_segment(std::string_view& rest) {
    const auto slash = rest.find('/');
    const auto segment = rest.substr(0, slash);
    rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
    if (segment.empty()) return std::nullopt;
    return segment;
}

template <class Number>
std::optional<Number> number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

struct Query {
    std::optional<std::string_view> request_id;
    std::optional<std::string_view> version;
};

// "?$rid=…&$version=…": not percent-encoded; other names are ignored, duplicates are not.
Result<Query> parse_query(std::string_view text) {
    Query query;
    if (text.empty()) return query;
    if (!take(text, "?") || text.find('/') != std::string_view::npos)
        return malformed("the topic goes on where its query is expected");
    while (!text.empty()) {
        const auto end = text.find('&');
        const auto pair = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        const auto equals = pair.find('=');
        const auto name = pair.substr(0, equals);
        const auto value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
        auto* field = name == "$rid" ? &query.request_id : name == "$version" ? &query.version : nullptr;
        if (field == nullptr) continue;
        if (*field) return malformed("the topic's query has a name twice");
        *field = value;
    }
    return query;
}

Result<ClientTopic> parse_twin_request(std::string_view topic) {
    const bool is_get = take(topic, twin_get);
    if (!is_get && !take(topic, twin_report))
        return malformed("the twin topic is neither GET nor PATCH/properties/reported");
    const auto query = parse_query(topic);
    if (!query) return fail(query.error());
    std::string request_id(query->request_id.value_or(std::string_view()));
    if (!is_get) return TwinReportTopic{std::move(request_id)};
    if (request_id.empty()) return malformed("the twin topic has no $rid");
    return TwinGetTopic{std::move(request_id)};
}

Result<ClientTopic> parse_method_response(std::string_view rest) {
    constexpr int no_number = 400000;
    const auto status = take_segment(rest);
    const auto query = parse_query(rest);
    if (!query) return fail(query.error());
    if (!query->request_id || query->request_id->empty()) return malformed("the method's response has no $rid");
    return MethodResponseTopic{number<int>(status.value_or(std::string_view())).value_or(no_number),
                               std::string(*query->request_id)};
}

// "devices/d/" or "devices/d/modules/m/"
Result<model::Identity> take_identity(std::string_view& rest) {
    if (!take(rest, "devices/")) return malformed("the topic is unknown");
    const auto device = take_segment(rest);
    if (!device) return malformed("the topic has no device id");
    if (!take(rest, "modules/")) return model::Identity::device(std::string(*device));
    const auto module = take_segment(rest);
    if (!module) return malformed("the topic has no module id");
    return model::Identity::module(std::string(*device), std::string(*module));
}

Result<ClientTopic> parse_telemetry(std::string_view rest) {
    auto identity = take_identity(rest);
    if (!identity) return fail(identity.error());
    if (!take(rest, "messages/events")) return malformed("the topic is unknown");
    auto bag = parse_bag_segment(rest, Direction::to_hub);
    if (!bag) return fail(bag.error());
    return TelemetryTopic{std::move(*identity), std::move(*bag)};
}

Result<HubTopic> parse_twin_response(std::string_view rest) {
    const auto status = number<int>(take_segment(rest).value_or(std::string_view()));
    if (!status) return malformed("the twin response has no status");
    const auto query = parse_query(rest);
    if (!query) return fail(query.error());
    const auto version = query->version ? number<std::int64_t>(*query->version) : std::nullopt;
    return TwinResponseTopic{*status, std::string(query->request_id.value_or(std::string_view())), version};
}

Result<HubTopic> parse_method_request(std::string_view rest) {
    const auto method = take_segment(rest);
    if (!method) return malformed("the method request has no method name");
    const auto query = parse_query(rest);
    if (!query) return fail(query.error());
    if (!query->request_id || query->request_id->empty()) return malformed("the method request has no $rid");
    return MethodRequestTopic{std::string(*method), std::string(*query->request_id)};
}

Result<HubTopic> parse_delivery(std::string_view rest) {
    if (auto identity = take_identity(rest); !identity) return fail(identity.error());
    const bool is_input = take(rest, "inputs/");
    const auto input = is_input ? rest.substr(0, rest.find('/')) : std::string_view();
    if (is_input && input.empty()) return malformed("the topic has no input");
    if (is_input)
        rest.remove_prefix(input.size());
    else if (!take(rest, "messages/devicebound"))
        return malformed("the topic is unknown");
    auto bag = parse_bag_segment(rest, Direction::to_client);
    if (!bag) return fail(bag.error());
    if (is_input) return InputTopic{std::string(input), std::move(*bag)};
    return CloudToDeviceTopic{std::move(*bag)};
}

// A name from a route or a caller as one level of a topic: what would end the level, or is forbidden in topics, is
// encoded.
std::string as_level(std::string_view name) {
    std::string out;
    for (const char c : name) {
        const bool breaks = c == '/' || c == '#' || c == '+' || c == '?' || (c >= 0 && c < ' ') || c == 0x7f;
        if (breaks)
            out += fmt::format("%{:02X}", static_cast<unsigned>(c));
        else
            out += c;
    }
    return out;
}

std::string path_of(const model::Identity& identity) {
    auto out = fmt::format("devices/{}", identity.device_id());
    if (identity.is_module()) out += fmt::format("/modules/{}", identity.module_id());
    return out;
}

void append_bag_segment(std::string& topic, const model::Message& message) {
    const auto without = topic.size();
    topic += '/';
    append_property_bag(topic, message, Direction::to_client);
    if (topic.size() == without + 1) topic.pop_back();
}

// devices/.+/modules/.+/#
bool is_module_filter(std::string_view filter) {
    if (!take(filter, "devices/") || !filter.ends_with("/#")) return false;
    filter.remove_suffix(2);
    const auto at = filter.find("/modules/", 1);
    return at != std::string_view::npos && at + std::string_view("/modules/").size() < filter.size();
}
}  // namespace

std::string events_prefix(const model::Identity& identity) { return path_of(identity) + "/messages/events"; }

Result<PropertyBag> parse_bag_segment(std::string_view rest, Direction direction) {
    if (rest.empty()) return PropertyBag{};
    if (!take(rest, "/")) return malformed("the topic is unknown");
    const auto slash = rest.find('/');
    if (slash != std::string_view::npos && slash + 1 != rest.size())
        return malformed("the topic has a '/' within its properties; percent-encode it");
    return parse_property_bag(rest, direction);
}

Result<ClientTopic> parse_client_topic(std::string_view topic) {
    if (topic.starts_with("$iothub/twin/")) return parse_twin_request(topic);
    if (auto rest = topic; take(rest, method_response)) return parse_method_response(rest);
    return parse_telemetry(topic);
}

Result<HubTopic> parse_hub_topic(std::string_view topic) {
    auto rest = topic;
    if (take(rest, twin_response)) return parse_twin_response(rest);
    if (take(rest, method_request)) return parse_method_request(rest);
    if (!take(rest, desired_patch)) return parse_delivery(rest);
    const auto query = parse_query(rest);
    if (!query) return fail(query.error());
    return DesiredPatchTopic{query->version ? number<std::int64_t>(*query->version) : std::nullopt};
}

std::string telemetry_topic(const model::Identity& identity, const model::Message& message) {
    auto topic = events_prefix(identity) + '/';
    append_property_bag(topic, message, Direction::to_hub);
    return topic;
}

std::string input_prefix(const model::Identity& identity, std::string_view input) {
    return fmt::format("{}/inputs/{}", path_of(identity), as_level(input));
}

void append_input_topic(std::string& out, std::string_view prefix, const model::Message& message) {
    out += prefix;
    append_bag_segment(out, message);
}

std::string input_topic(const model::Identity& identity, std::string_view input, const model::Message& message) {
    std::string topic;
    append_input_topic(topic, input_prefix(identity, input), message);
    return topic;
}

std::string cloud_to_device_topic(const model::Identity& identity, const model::Message& message) {
    auto topic = path_of(identity) + "/messages/devicebound";
    append_bag_segment(topic, message);
    return topic;
}

std::string twin_get_topic(std::string_view request_id) { return fmt::format("{}?$rid={}", twin_get, request_id); }

std::string twin_report_topic(std::string_view request_id) {
    return fmt::format("{}?$rid={}", twin_report, request_id);
}

std::string twin_response_topic(int status, std::string_view request_id, std::optional<std::int64_t> version) {
    auto out = fmt::format("{}{}/?$rid={}", twin_response, status, request_id);
    if (version) out += fmt::format("&$version={}", *version);
    return out;
}

std::string desired_patch_topic(std::int64_t version) { return fmt::format("{}?$version={}", desired_patch, version); }

std::string method_request_topic(std::string_view method, std::string_view request_id) {
    return fmt::format("{}{}/?$rid={}", method_request, as_level(method), request_id);
}

std::string method_response_topic(int status, std::string_view request_id) {
    return fmt::format("{}{}/?$rid={}", method_response, status, request_id);
}

Subscription classify_filter(std::string_view filter) {
    if (filter.starts_with(method_request)) return Subscription::methods;
    if (filter.starts_with(desired_patch)) return Subscription::desired_properties;
    if (filter.ends_with("messages/devicebound/#")) return Subscription::cloud_to_device;
    if (filter == "$iothub/twin/res/#") return Subscription::twin_responses;
    if (is_module_filter(filter)) return Subscription::module_inputs;
    return Subscription::unknown;
}

std::string filter_of(Subscription kind, const model::Identity& identity) {
    switch (kind) {
        case Subscription::methods: return fmt::format("{}#", method_request);
        case Subscription::desired_properties: return fmt::format("{}#", desired_patch);
        case Subscription::cloud_to_device: return fmt::format("{}/messages/devicebound/#", path_of(identity));
        case Subscription::twin_responses: return fmt::format("{}#", twin_response);
        case Subscription::module_inputs: return fmt::format("{}/inputs/#", path_of(identity));
        case Subscription::unknown: break;
    }
    return {};
}

}  // namespace skerry::iothub
