#include "hub/http/head.hpp"

#include "base/log.hpp"
#include "hub/http/method_call.hpp"

#include <fmt/format.h>

namespace skerry::hub::http {

using codec::HttpRequest;
using codec::HttpResponse;

namespace {

HttpResponse answer(unsigned status, std::string text) {
    HttpResponse response;
    response.status = status;
    response.headers.set("Content-Type", "application/json; charset=utf-8");
    response.body = std::move(text);
    return response;
}

HttpResponse refuse(unsigned status, std::string_view why) {
    return answer(status, fmt::format(R"({{"message":{}}})", json_text(std::string(why))));
}

HttpResponse refuse_call(const Error& error) {
    switch (error.code) {
        case Errc::not_found: return refuse(404, error.text);
        case Errc::timeout:
        case Errc::closed: return refuse(504, error.text);
        case Errc::full: return refuse(429, error.text);
        case Errc::malformed: return refuse(400, error.text);
        case Errc::unauthorized:
        case Errc::conflict:
        case Errc::unreachable:
        case Errc::unsupported:
        case Errc::io:
        case Errc::internal: break;
    }
    return refuse(500, error.text);
}

// "<device>/<module>" of the header.
std::optional<model::Identity> caller_of(const HttpRequest& request) {
    const auto header = request.headers.find("x-ms-edge-moduleId");
    if (!header) return std::nullopt;
    auto caller = model::Identity::parse(*header);
    if (!caller || !caller->is_module()) return std::nullopt;
    return std::move(*caller);
}

}  // namespace

Task<HttpResponse> Head::handle(HttpRequest request, const net::Peer& peer) {
    auto response = co_await dispatch(std::move(request), peer);
    response.headers.set("X-Content-Type-Options", "nosniff");
    co_return response;
}

Task<HttpResponse> Head::dispatch(HttpRequest request, const net::Peer& peer) {
    auto path = request.segments();
    if (path.size() > 1 && path.back().empty()) path.pop_back();
    const bool to_device = path.size() == 3;
    const bool to_module = path.size() == 5 && path[2] == "modules";
    if (path.size() == 1 && path.front() == "metrics") co_return services_.metrics_page(request);
    if ((!to_device && !to_module) || path.front() != "twins" || path.back() != "methods")
        co_return refuse(404,
                         "there is nothing at this path; direct methods are at "
                         "/twins/{device}/methods and /twins/{device}/modules/{module}/methods");
    if (request.method != "POST") {
        auto refused = refuse(405, "direct methods are invoked with POST");
        refused.headers.set("Allow", "POST");
        co_return refused;
    }
    if (to_device) co_return co_await invoke(std::move(request), model::Identity::device(path[1]), path[1], peer);
    co_return co_await invoke(std::move(request), model::Identity::module(path[1], path[3]),
                              fmt::format("{}/{}", path[1], path[3]), peer);
}

Task<HttpResponse> Head::invoke(HttpRequest request, Result<model::Identity> target, std::string_view target_name,
                                const net::Peer& peer) {
    auto call = parse_method_call(request.body);
    if (!call) co_return answer(400, json_text(call.error().text));

    auto caller = caller_of(request);
    if (!caller) co_return refuse(400, "Invalid header value for x-ms-edge-moduleId");
    if (caller->device_id() != services_.own.device_id())
        co_return refuse(401, "Only modules on the same device can invoke DirectMethods");
    const auto token = std::string(request.headers.find("Authorization").value_or(""));
    const auto admitted = co_await services_.authenticator.authenticate(
        {.identity = *caller, .token = token, .certificates_pem = peer.certificates_pem});
    if (!admitted) {
        log::info("A method call over HTTPS is refused: {}", admitted.error().text);
        co_return refuse(401, admitted.error().text);
    }

    // What can be nobody's name is not connected either.
    if (!target) co_return refuse(404, fmt::format("Client {} not found", target_name));
    const auto response = co_await services_.methods.invoke(services_.sessions, caller->id(), std::move(*target),
                                                            {std::move(call->name), std::move(call->payload)},
                                                            {.connect = call->connect, .response = call->response});
    if (!response) co_return refuse_call(response.error());
    co_return answer(200, method_answer_text(response->status, response->payload));
}

}  // namespace skerry::hub::http
