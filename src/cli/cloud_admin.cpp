#include "cli/cloud_admin.hpp"

#include "base/encoding.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/core.h>

#include <optional>
#include <utility>

namespace skerry::cli {

namespace json = boost::json;

namespace {
constexpr std::string_view version = "api-version=2021-04-12";

Errc code_of(unsigned status) {
    switch (status) {
        case 401:
        case 403: return Errc::unauthorized;
        case 404: return Errc::not_found;
        case 409:
        case 412: return Errc::conflict;
        case 504: return Errc::timeout;
        default: return status < 500 ? Errc::malformed : Errc::internal;
    }
}

std::optional<std::string> text_at(const json::value& value, std::initializer_list<std::string_view> path) {
    const auto* at = &value;
    for (const auto name : path) {
        const auto* object = at->if_object();
        at = object ? object->if_contains(name) : nullptr;
        if (!at) return std::nullopt;
    }
    return at->is_string() ? std::optional(std::string(at->get_string())) : std::nullopt;
}

// {"Message":"ErrorCode:DeviceNotFound;text"}: the text is for people.
std::string words_of(const codec::HttpResponse& response) {
    json::error_code failed;
    const auto body = json::parse(response.body, failed);
    const auto* object = failed ? nullptr : body.if_object();
    const auto* message = object ? object->if_contains("Message") : nullptr;
    if (!message || !message->is_string()) return fmt::format("the cloud answered {}", response.status);
    const std::string text(message->get_string());
    // Direct methods put JSON into the text.
    const auto inner = json::parse(text, failed);
    if (const auto detail = failed ? std::nullopt : text_at(inner, {"message"})) return *detail;
    const auto semicolon = text.find(';');
    return semicolon == std::string::npos ? text : text.substr(semicolon + 1);
}
}  // namespace

CloudAdmin::CloudAdmin(net::Network& network, Clock& clock, const std::filesystem::path& socket)
    : http_(clock, net::unix_connector(network, socket), {.body_bytes = 16 * 1024 * 1024}),
      stream_(clock, net::unix_connector(network, socket)) {}

Task<Result<json::value>> CloudAdmin::call(std::string method, std::string target, std::string body, Duration limit) {
    codec::HttpRequest request;
    request.method = std::move(method);
    request.target = std::move(target);
    if (request.method == "DELETE" || request.method == "PATCH") request.headers.set("If-Match", "*");
    request.body = std::move(body);
    return exchange(std::move(request), limit);
}

Task<Result<json::value>> CloudAdmin::change(std::string target, std::string body) {
    codec::HttpRequest request;
    request.method = "PUT";
    request.target = std::move(target);
    request.headers.set("If-Match", "*");
    request.body = std::move(body);
    return exchange(std::move(request), std::chrono::seconds(30));
}

Task<Result<json::value>> CloudAdmin::exchange(codec::HttpRequest request, Duration limit) {
    request.target += (request.target.find('?') == std::string::npos ? '?' : '&');
    request.target += version;
    if (!request.body.empty()) request.headers.set("Content-Type", "application/json");
    const auto response = co_await http_.exchange(std::move(request), limit);
    if (!response) co_return fail(response.error().while_doing("asking the local cloud (is it running?)"));
    if (response->status >= 400) co_return fail(code_of(response->status), words_of(*response));
    if (response->body.empty()) co_return json::value(nullptr);
    json::error_code failed;
    auto value = json::parse(response->body, failed);
    if (failed) co_return fail(Errc::malformed, "the cloud's answer is no JSON: " + failed.message());
    co_return value;
}

Task<Result<json::object>> CloudAdmin::info() {
    auto answer = co_await call("GET", "/admin/info", {});
    if (!answer) co_return fail(answer.error());
    if (!answer->is_object()) co_return fail(Errc::malformed, "the cloud's answer is no object");
    co_return std::move(answer->get_object());
}

Task<Result<std::string>> CloudAdmin::connection_string(std::string device_id) {
    const auto cloud = co_await info();
    if (!cloud) co_return fail(cloud.error());
    const auto device = co_await call("GET", "/devices/" + percent_encode(device_id), {});
    if (!device) co_return fail(device.error());
    const auto host = text_at(*cloud, {"hostName"});
    const auto key = text_at(*device, {"authentication", "symmetricKey", "primaryKey"});
    if (!host || !key) co_return fail(Errc::unsupported, fmt::format("device {} has no symmetric key", device_id));
    co_return fmt::format("HostName={};DeviceId={};SharedAccessKey={}", *host, device_id, *key);
}

Task<Result<std::string>> CloudAdmin::ensure_edge_device(std::string device_id) {
    const json::object device{{"deviceId", device_id}, {"status", "enabled"}, {"capabilities", {{"iotEdge", true}}}};
    const auto created = co_await call("PUT", "/devices/" + percent_encode(device_id), json::serialize(device));
    if (!created && created.error().code != Errc::conflict) co_return fail(created.error());
    co_return co_await connection_string(std::move(device_id));
}

Task<Result<>> CloudAdmin::deploy(std::string device_id, json::object content) {
    const auto done = co_await call("POST", "/devices/" + percent_encode(device_id) + "/applyConfigurationContent",
                                    json::serialize(content));
    if (!done) co_return fail(done.error());
    co_return Result<>{};
}

Task<Result<>> CloudAdmin::events(EventsOptions options, std::function<bool(std::string_view line)> on_line) {
    codec::HttpRequest request;
    request.target = fmt::format("/admin/events?from={}{}{}", options.from_start ? "start" : "end",
                                 options.follow ? "&follow=1" : "",
                                 options.device.empty() ? "" : "&device=" + percent_encode(options.device));
    std::string partial;
    const auto take = [&partial, &on_line](std::string_view bytes) {
        partial += bytes;
        std::size_t start = 0;
        for (auto end = partial.find('\n'); end != std::string::npos; end = partial.find('\n', start)) {
            const auto line = std::string_view(partial).substr(start, end - start);
            start = end + 1;
            if (!line.empty() && !on_line(line)) return false;
        }
        partial.erase(0, start);
        return true;
    };
    const auto response = co_await stream_.stream(std::move(request), take);
    if (!response) co_return fail(response.error());
    if (response->status >= 400) co_return fail(code_of(response->status), words_of(*response));
    co_return Result<>{};
}

}  // namespace skerry::cli
