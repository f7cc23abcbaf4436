// The MQTT user name: "host/device[/module]/?api-version=…&…" (edge-hub.md 1.4).
#include "base/encoding.hpp"
#include "iothub/auth_chain.hpp"
#include "iothub/topics.hpp"

#include <fmt/format.h>

#include <optional>

namespace skerry::iothub {

namespace {
constexpr std::string_view api_version = "2021-04-12";
// What one early version of the C# SDK sends: the only accepted name whose query holds slashes.
constexpr std::string_view legacy_query =
    "api-version=2017-06-30/DeviceClientType=Microsoft.Azure.Devices.Client/1.5.1-preview-003";

std::unexpected<Error> malformed(std::string_view what) {
    return fail(Errc::malformed, fmt::format("the user name {}", what));
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> out;
    for (;;) {
        const auto end = text.find(separator);
        out.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return out;
        text.remove_prefix(end + 1);
    }
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// The first value of that name, decoded; an escape that is none stays as it is written.
std::optional<std::string> query_value(const std::vector<std::string_view>& pairs, std::string_view name) {
    for (const auto pair : pairs) {
        const auto equals = pair.find('=');
        if (pair.substr(0, equals) != name) continue;
        const auto value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
        return percent_decode(value).value_or(std::string(value));
    }
    return std::nullopt;
}

Result<UserName> read_query(std::string_view host, model::Identity identity, std::string_view query) {
    UserName out{std::string(host), std::move(identity), {}, {}, {}, {}};
    if (equals_ignoring_case(query, legacy_query)) {
        out.api_version = "2017-06-30";
        out.client_type = "Microsoft.Azure.Devices.Client/1.5.1-preview-003";
        return out;
    }
    const auto pairs = split(query, '&');
    out.api_version = query_value(pairs, "api-version").value_or(std::string());
    if (trimmed(out.api_version).empty()) return malformed("has no api-version");
    out.client_type = query_value(pairs, "DeviceClientType").value_or(std::string());
    out.model_id = query_value(pairs, "model-id").value_or(std::string());
    for (const auto& value : {out.client_type, out.model_id})
        if (!is_utf8(value)) return malformed("has a value that is no UTF-8");
    auto chain = parse_auth_chain(query_value(pairs, "auth-chain").value_or(std::string()));
    if (!chain) return fail(chain.error().while_doing("reading the user name"));
    out.auth_chain = std::move(*chain);
    return out;
}
}  // namespace

Result<UserName> parse_user_name(std::string_view text) {
    const bool is_legacy = text.size() > legacy_query.size() &&
                           equals_ignoring_case(text.substr(text.size() - legacy_query.size()), legacy_query);
    const auto slash = is_legacy ? text.size() - legacy_query.size() - 1 : text.rfind('/');
    if (slash == std::string_view::npos || text[slash] != '/')
        return malformed("is not host/device/?… or host/device/module/?…");
    const auto path = text.substr(0, slash);
    auto query = text.substr(slash + 1);
    if (query.starts_with('?'))
        query.remove_prefix(1);
    else if (!is_legacy && query.find("api-version=") == std::string_view::npos)
        return malformed("has no api-version");

    const auto segments = split(path, '/');
    if (segments.size() != 2 && segments.size() != 3)
        return malformed("is not host/device/?… or host/device/module/?…");
    const std::string device(trimmed(segments[1]));
    auto identity = segments.size() == 2 ? model::Identity::device(device)
                                         : model::Identity::module(device, std::string(trimmed(segments[2])));
    if (!identity) return fail(identity.error().while_doing("reading the user name"));
    return read_query(segments[0], std::move(*identity), query);
}

std::string format_user_name(std::string_view host, const model::Identity& identity, std::string_view client_type,
                             const std::vector<std::string>& auth_chain) {
    auto out = fmt::format("{}/{}/?api-version={}&DeviceClientType={}", host, identity.id(), api_version,
                           percent_encode(client_type));
    if (!auth_chain.empty()) out += fmt::format("&auth-chain={}", percent_encode(format_auth_chain(auth_chain)));
    return out;
}

}  // namespace skerry::iothub
