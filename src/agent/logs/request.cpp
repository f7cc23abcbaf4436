#include "agent/logs/request.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "model/schema_version.hpp"
#include "model/twin.hpp"

#include <fmt/core.h>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <utility>

namespace skerry::agent {

namespace json = boost::json;

namespace {

constexpr std::size_t most_items = 100;
constexpr std::size_t longest_text = 8 * 1024;
constexpr std::size_t longest_time = 100;

std::unexpected<Refusal> refuse(std::string text, int status = 400) {
    return std::unexpected(Refusal{.status = status, .text = std::move(text)});
}

const json::value* member_of(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value == nullptr || value->is_null() ? nullptr : value;
}

Answer<std::optional<std::int64_t>> optional_number(const json::object& object, std::string_view name,
                                                    std::int64_t most) {
    const auto* value = member_of(object, name);
    if (value == nullptr) return std::nullopt;
    boost::system::error_code wrong;
    const auto number = value->to_number<std::int64_t>(wrong);
    if (wrong || number < 0 || number > most)
        return refuse(fmt::format("filter.{}: must be a number from 0 to {}", name, most));
    return number;
}

Answer<LogFilter> parse_filter(const json::object& object) {
    LogFilter filter;
    const auto tail = optional_number(object, "tail", 1'000'000'000);
    if (!tail) return std::unexpected(tail.error());
    if (*tail) filter.tail = static_cast<std::size_t>(**tail);
    const auto level = optional_number(object, "loglevel", 7);
    if (!level) return std::unexpected(level.error());
    if (*level) filter.level = static_cast<int>(**level);
    auto since = optional_time(object, "since");
    if (!since) return std::unexpected(std::move(since).error());
    filter.since = std::move(*since);
    auto until = optional_time(object, "until");
    if (!until) return std::unexpected(std::move(until).error());
    filter.until = std::move(*until);
    if (const auto* regex = member_of(object, "regex")) {
        if (!regex->is_string()) return refuse("filter.regex: must be a text");
        auto pattern = Pattern::create(regex->get_string(), Pattern::Case::sensitive);
        if (!pattern) return refuse("filter.regex: " + pattern.error().text);
        filter.text = std::move(*pattern);
    }
    return filter;
}

Answer<LogItem> parse_item(const json::value& value) {
    if (!value.is_object()) return refuse("items: each must be an object with 'id' and 'filter'");
    const auto& object = value.get_object();
    const auto id = required_text(object, "id");
    if (!id) return std::unexpected(id.error());
    LogItem item;
    if (!equals_ignoring_case(*id, "all")) {
        auto pattern = Pattern::create(*id, Pattern::Case::ignored);
        if (!pattern) return refuse("items.id: " + pattern.error().text);
        item.id = std::move(*pattern);
    }
    if (const auto* given = member_of(object, "filter")) {
        if (!given->is_object()) return refuse("items.filter: must be an object");
        auto filter = parse_filter(given->get_object());
        if (!filter) return std::unexpected(std::move(filter).error());
        item.filter = std::move(*filter);
    }
    return item;
}

Answer<std::vector<LogItem>> parse_items(const json::object& payload) {
    const auto* value = member_of(payload, "items");
    if (value == nullptr) return refuse("items: is missing; name at least one module, or \"all\"");
    const json::array one{*value};
    const auto& values = value->is_array() ? value->get_array() : one;
    if (values.empty() || values.size() > most_items)
        return refuse(fmt::format("items: must be 1 to {}, and are {}", most_items, values.size()));
    std::vector<LogItem> items;
    for (const auto& entry : values) {
        auto item = parse_item(entry);
        if (!item) return std::unexpected(std::move(item).error());
        items.push_back(std::move(*item));
    }
    return items;
}

// Which of two words the member is: false for `no` or when absent.
Answer<bool> choice(const json::object& payload, std::string_view name, std::string_view no, std::string_view yes) {
    const auto* value = member_of(payload, name);
    if (value == nullptr) return false;
    if (value->is_string() && equals_ignoring_case(value->get_string(), no)) return false;
    if (value->is_string() && equals_ignoring_case(value->get_string(), yes)) return true;
    return refuse(fmt::format("{}: must be \"{}\" or \"{}\"", name, no, yes));
}

}  // namespace

Answer<json::object> parse_method_payload(std::string_view payload) {
    if (payload.empty() || payload == "null") return refuse("Request payload not found");
    auto object = model::parse_object(payload);
    if (!object) return refuse("Error parsing command payload because of error - " + object.error().text);
    const auto* member = member_of(*object, "schemaVersion");
    const std::string written(member != nullptr && member->is_string() ? std::string_view(member->get_string())
                                                                       : std::string_view());
    const auto version = model::parse_schema_version(written);
    if (!version) return refuse(fmt::format("schemaVersion: '{}' is no version; use \"1.0\"", written));
    if (version->major != 1) return refuse(fmt::format("schemaVersion: {} is not compatible with 1.0", written), 500);
    if (version->minor != 0) log::warn("A method was called with schemaVersion {}; 1.0 is understood", written);
    return std::move(*object);
}

Answer<std::string> required_text(const json::object& object, std::string_view name) {
    const auto* value = member_of(object, name);
    if (value == nullptr || !value->is_string() || value->get_string().empty())
        return refuse(fmt::format("{}: is missing, or is no text", name));
    if (value->get_string().size() > longest_text)
        return refuse(fmt::format("{}: may have {} characters at most", name, longest_text));
    return std::string(std::string_view(value->get_string()));
}

Answer<std::string> optional_time(const json::object& object, std::string_view name) {
    const auto* value = member_of(object, name);
    if (value == nullptr) return std::string();
    if (value->is_int64() && value->get_int64() >= 0) return std::to_string(value->get_int64());
    if (!value->is_string() || value->get_string().size() > longest_time)
        return refuse(
            fmt::format("{}: must be a time (RFC 3339 or seconds since 1970) or how long ago, as \"2h\"", name));
    return std::string(std::string_view(value->get_string()));
}

const LogFilter* LogRequest::filter_for(std::string_view module) const {
    for (const auto& item : items)
        if (!item.id || item.id->found_in(module)) return &item.filter;
    return nullptr;
}

Answer<LogRequest> parse_log_request(const json::object& payload) {
    auto items = parse_items(payload);
    if (!items) return std::unexpected(std::move(items).error());
    const auto gzip = choice(payload, "encoding", "none", "gzip");
    if (!gzip) return std::unexpected(gzip.error());
    const auto text = choice(payload, "contentType", "json", "text");
    if (!text) return std::unexpected(text.error());
    return LogRequest{.items = std::move(*items),
                      .encoding = *gzip ? LogEncoding::gzip : LogEncoding::none,
                      .content = *text ? LogContent::text : LogContent::json};
}

}  // namespace skerry::agent
