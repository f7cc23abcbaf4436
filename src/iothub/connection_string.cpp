// "HostName=…;DeviceId=…;SharedAccessKey=…" (iot-hub-wire.md 3.5).
#include "base/encoding.hpp"
#include "iothub/sas.hpp"

#include <fmt/format.h>

#include <vector>

namespace skerry::iothub {

namespace {
std::unexpected<Error> malformed(std::string_view what) {
    return fail(Errc::malformed, fmt::format("the connection string {}", what));
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

Result<> set_part(ConnectionString& out, std::string_view name, std::string_view value) {
    const auto is = [name](std::string_view known) { return equals_ignoring_case(name, known); };
    if (is("HostName")) out.host = value;
    if (is("DeviceId")) out.device_id = value;
    if (is("ModuleId")) out.module_id = value;
    if (is("SharedAccessKeyName")) out.policy = value;
    if (is("GatewayHostName")) out.gateway_host = value;
    if (is("x509")) out.x509 = equals_ignoring_case(value, "true");
    if (is("SharedAccessKey")) {
        auto key = base64_decode(value);
        if (!key || key->empty()) return malformed("has a SharedAccessKey that is no base64");
        out.key = std::move(*key);
    }
    return {};
}
}  // namespace

Result<ConnectionString> parse_connection_string(std::string_view text) {
    ConnectionString out;
    std::vector<std::string> seen;
    text = trimmed(text);
    while (!text.empty()) {
        const auto end = text.find(';');
        const auto part = trimmed(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (part.empty()) continue;
        const auto equals = part.find('=');
        if (equals == std::string_view::npos || equals == 0) return malformed("has a part that is not Name=value");
        const auto name = to_lower(part.substr(0, equals));
        for (const auto& earlier : seen)
            if (earlier == name) return malformed("names a part twice");
        seen.push_back(name);
        if (auto ok = set_part(out, name, part.substr(equals + 1)); !ok) return fail(ok.error());
    }
    if (out.host.empty()) return malformed("has no HostName");
    if (out.device_id.empty() && out.policy.empty())
        return malformed("has neither a DeviceId nor a SharedAccessKeyName");
    if (!out.device_id.empty() && !model::is_valid_id(out.device_id)) return malformed("has an invalid DeviceId");
    if (!out.module_id.empty() && !model::is_valid_id(out.module_id)) return malformed("has an invalid ModuleId");
    if (!out.module_id.empty() && out.device_id.empty()) return malformed("has a ModuleId but no DeviceId");
    if (out.key.empty() && !out.x509) return malformed("has neither a SharedAccessKey nor x509=true");
    return out;
}

}  // namespace skerry::iothub
