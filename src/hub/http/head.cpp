#include "hub/http/head.hpp"

#include "base/log.hpp"
#include "hub/http/answers.hpp"
#include "hub/http/method_call.hpp"

#include <fmt/format.h>

namespace skerry::hub::http {

using codec::HttpRequest;
using codec::HttpResponse;

namespace {

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

Head::Head(Services services)
    : services_(std::move(services)),
      callers_(services_.authenticator, services_.scope, services_.link, services_.clock,
               model::Identity::module(services_.own.device_id(), services_.api_proxy)),
      nested_(callers_, services_.scope, services_.link, services_.clock, services_.nested) {}

Task<HttpResponse> Head::dispatch(HttpRequest request, const net::Peer& peer) {
    auto path = request.segments();
    if (path.size() > 1 && path.back().empty()) path.pop_back();
    if (path.size() == 1 && path.front() == "metrics") co_return services_.metrics_page(request);
    if (path.front() == "twins") co_return co_await on_twins(std::move(request), std::move(path), peer);
    const bool modules = path.size() >= 3 && path[0] == "devices" && path[2] == "modules";
    if (modules && path.size() <= 4) {
        if (path.size() == 3) path.emplace_back();
        co_return co_await nested_.of_device(path[1], path[3], std::move(request), peer);
    }
    if (modules && path.size() == 5) {
        if (path[3] != "$edgeHub") co_return refuse(401, "only the hub of an edge device may ask here", "ErrorMessage");
        co_return co_await nested_.of_hub(path[1], path[4], std::move(request), peer);
    }
    co_return refuse(404,
                     "there is nothing at this path; direct methods are at /twins/{device}/methods and "
                     "/twins/{device}/modules/{module}/methods, module identities at /devices/{device}/modules");
}

Task<HttpResponse> Head::on_twins(HttpRequest request, std::vector<std::string> path, const net::Peer& peer) {
    const bool to_device = path.size() == 3;
    const bool to_module = path.size() == 5 && path[2] == "modules";
    if ((!to_device && !to_module) || path.back() != "methods")
        co_return refuse(404,
                         "there is nothing at this path; direct methods are at /twins/{device}/methods and "
                         "/twins/{device}/modules/{module}/methods");
    if (request.method != "POST") co_return wrong_method("POST");
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
    const auto admitted = co_await callers_.admit(*caller, request, peer);
    if (!admitted) {
        log::info("A method call over HTTPS is refused: {}", admitted.error().text);
        co_return refuse(admitted.error().code == Errc::timeout ? 504 : 401, admitted.error().text);
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
