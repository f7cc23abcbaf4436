#include "daemonapi/call.hpp"

#include "model/twin.hpp"

#include <fmt/core.h>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <charconv>
#include <utility>

namespace skerry::daemonapi {

namespace {
constexpr codec::HttpLimits answer_limits{.header_bytes = 16 * 1024, .body_bytes = 4 * 1024 * 1024};

net::Connector tcp_connector(net::Network& network, std::string host, std::uint16_t port) {
    return [&network, host = std::move(host), port] { return network.connect_tcp(host, port); };
}

Errc code_of(unsigned status) {
    switch (status) {
        case 400:
        case 415:
        case 422: return Errc::malformed;
        case 401:
        case 403: return Errc::unauthorized;
        case 404: return Errc::not_found;
        case 408:
        case 504: return Errc::timeout;
        case 409: return Errc::conflict;
        case 429: return Errc::full;
        case 502:
        case 503: return Errc::unreachable;
        default: return Errc::io;
    }
}

// {"message":"…"} is the daemon's error; anything else is shown as it is, shortened.
std::string words_of(const codec::HttpResponse& response) {
    constexpr std::size_t longest = 1000;
    const auto object = model::parse_object(response.body);
    if (object) {
        const auto* message = object->if_contains("message");
        if (message != nullptr && message->is_string())
            return std::string(std::string_view(message->get_string()).substr(0, longest));
    }
    return response.body.substr(0, longest);
}

Result<std::pair<std::string, std::uint16_t>> host_and_port(std::string_view authority) {
    const auto colon = authority.rfind(':');
    std::uint16_t port = 80;
    if (colon != std::string_view::npos) {
        const auto digits = authority.substr(colon + 1);
        const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), port);
        if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size() || port == 0)
            return fail(Errc::malformed, "the port must be a number from 1 to 65535");
    }
    const auto host = authority.substr(0, colon);
    if (host.empty()) return fail(Errc::malformed, "the host is missing");
    return std::pair(std::string(host), port);
}
}  // namespace

Result<std::unique_ptr<net::HttpClient>> client_of(net::Network& network, Clock& clock, std::string_view uri) {
    constexpr std::string_view unix_scheme = "unix://";
    constexpr std::string_view http_scheme = "http://";
    if (uri.starts_with(unix_scheme) && uri.size() > unix_scheme.size())
        return std::make_unique<net::HttpClient>(
            clock, net::unix_connector(network, std::string(uri.substr(unix_scheme.size()))), answer_limits);
    if (uri.starts_with(http_scheme)) {
        auto rest = uri.substr(http_scheme.size());
        const auto target = host_and_port(rest.substr(0, rest.find('/')));
        if (!target) return fail(target.error().while_doing(fmt::format("reading the daemon's address '{}'", uri)));
        return std::make_unique<net::HttpClient>(clock, tcp_connector(network, target->first, target->second),
                                                 answer_limits);
    }
    return fail(Errc::malformed,
                fmt::format("the daemon's address '{}' must be unix:///path or http://host:port", uri));
}

codec::HttpRequest request_of(std::string method, std::string target, const std::optional<boost::json::object>& body) {
    codec::HttpRequest request{.method = std::move(method), .target = std::move(target), .headers = {}, .body = {}};
    if (body) {
        request.headers.set("Content-Type", "application/json");
        request.body = boost::json::serialize(*body);
    }
    return request;
}

Result<> check(const codec::HttpResponse& response, std::string_view what) {
    if (response.status < 400) return {};
    return fail(code_of(response.status),
                fmt::format("{}: the daemon answered {}: {}", what, response.status, words_of(response)));
}

Task<Result<codec::HttpResponse>> call(net::HttpClient& http, codec::HttpRequest request, Duration limit) {
    const auto what = fmt::format("{} {}", request.method, request.raw_path());
    auto response = co_await http.exchange(std::move(request), limit);
    if (!response) co_return fail(response.error().while_doing("calling the daemon"));
    if (const auto checked = check(*response, what); !checked) co_return fail(checked.error());
    co_return std::move(*response);
}

Task<Result<boost::json::object>> call_for_object(net::HttpClient& http, codec::HttpRequest request, Duration limit) {
    const auto what = fmt::format("{} {}", request.method, request.raw_path());
    const auto response = co_await call(http, std::move(request), limit);
    if (!response) co_return fail(response.error());
    auto object = model::parse_object(response->body);
    if (!object) co_return fail(object.error().while_doing(what + ": reading the daemon's answer"));
    co_return std::move(*object);
}

}  // namespace skerry::daemonapi
