#include "daemon/workload_api.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "daemonapi/shapes.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

namespace skerry::daemon {

namespace json = boost::json;
using codec::HttpRequest;
using codec::HttpResponse;

std::string identity_of_module(std::string_view module) {
    return module == "edgeAgent" || module == "edgeHub" ? '$' + std::string(module) : std::string(module);
}

std::string module_of_identity(std::string_view identity) {
    return identity == "$edgeAgent" || identity == "$edgeHub" ? std::string(identity.substr(1)) : std::string(identity);
}

namespace {
constexpr auto everybody = Access::everybody;
constexpr auto first = Since::v2018_06_28;
constexpr std::array<Route<WorkloadApi>, 8> routes{{
    {"GET", "modules", first, everybody, &WorkloadApi::list_modules},
    {"POST", "modules/*/genid/*/sign", first, everybody, &WorkloadApi::sign},
    {"POST", "modules/*/genid/*/encrypt", first, everybody, &WorkloadApi::encrypt},
    {"POST", "modules/*/genid/*/decrypt", first, everybody, &WorkloadApi::decrypt},
    {"POST", "modules/*/certificate/identity", first, everybody, &WorkloadApi::identity_certificate},
    {"POST", "modules/*/genid/*/certificate/server", first, everybody, &WorkloadApi::server_certificate},
    {"GET", "trust-bundle", first, everybody, &WorkloadApi::get_trust_bundle},
    {"GET", "manifest-trust-bundle", Since::v2020_07_07, everybody, &WorkloadApi::manifest_trust_bundle},
}};

HttpResponse answer(const Result<IssuedCertificate>& issued) {
    if (!issued) return refuse(issued.error());
    return daemon::answer(201, {{"privateKey", {{"type", "key"}, {"bytes", issued->key_pem}}},
                                {"certificate", issued->chain_pem},
                                {"expiration", format_rfc3339(issued->expires, 0)}});
}
}  // namespace

Task<HttpResponse> WorkloadApi::handle(HttpRequest request, std::optional<pid_t> caller,
                                       std::optional<std::string> bound) {
    const auto segments = request.segments();
    const bool names_module = segments.size() > 2 && segments[0] == "modules";
    // Who asks: the module of the socket, or on the common socket the one that the path names.
    const auto module = bound ? *bound : names_module ? module_of_identity(segments[1]) : std::string();
    const bool is_own_socket = !module.empty() && caller && engine_.owns_process(module, *caller);
    const bool is_own_name = !names_module || segments[1] == identity_of_module(module);
    const bool open_to_all = !bound && !names_module;
    if (!open_to_all && !(is_own_socket && is_own_name)) {
        if (const auto count = refused_.count())
            log::warn("workload API: process {} was refused at the socket of {} ({} refusals)", caller.value_or(0),
                      bound.value_or("all modules"), *count);
        co_return refuse(403, "forbidden");
    }
    co_return co_await dispatch(*this, routes, std::move(request), caller);
}

Task<HttpResponse> WorkloadApi::list_modules(Call) {
    const auto modules = co_await engine_.list();
    if (!modules) co_return refuse(modules.error());
    json::array list;
    for (const auto& module : *modules) list.push_back(daemonapi::to_json(module));
    co_return daemon::answer(200, {{"modules", std::move(list)}});
}

Task<HttpResponse> WorkloadApi::sign(Call call) {
    const auto body = body_of(call.request);
    if (!body) co_return body.error();
    auto data = base64_member(*body, "data");
    if (!data) co_return refuse(data.error());
    const auto digest = co_await identities_.sign(call.arguments[0], std::move(*data));
    if (!digest) co_return refuse(digest.error());
    co_return daemon::answer(200, {{"digest", base64_encode(*digest)}});
}

Task<HttpResponse> WorkloadApi::encrypt(Call call) {
    const auto body = body_of(call.request);
    if (!body) co_return body.error();
    const auto plaintext = base64_member(*body, "plaintext");
    if (!plaintext) co_return refuse(plaintext.error());
    const auto iv = base64_member(*body, "initializationVector");
    if (!iv || iv->empty()) co_return refuse(400, "invalid initializationVector");
    const auto ciphertext = keys_.encrypt(call.arguments[0], call.arguments[1], *iv, *plaintext);
    if (!ciphertext) co_return refuse(500, ciphertext.error().text);
    co_return daemon::answer(200, {{"ciphertext", base64_encode(*ciphertext)}});
}

Task<HttpResponse> WorkloadApi::decrypt(Call call) {
    const auto body = body_of(call.request);
    if (!body) co_return body.error();
    const auto ciphertext = base64_member(*body, "ciphertext");
    if (!ciphertext) co_return refuse(ciphertext.error());
    const auto iv = base64_member(*body, "initializationVector");
    if (!iv || iv->empty()) co_return refuse(400, "invalid initializationVector");
    const auto plaintext = keys_.decrypt(call.arguments[0], call.arguments[1], *iv, *ciphertext);
    if (!plaintext) co_return refuse(500, plaintext.error().text);
    co_return daemon::answer(200, {{"plaintext", base64_encode(*plaintext)}});
}

Task<HttpResponse> WorkloadApi::identity_certificate(Call call) {
    co_return answer(ca_.issue_identity(device_.hub_host, device_.device_id, call.arguments[0]));
}

Task<HttpResponse> WorkloadApi::server_certificate(Call call) {
    const auto body = body_of(call.request);
    if (!body) co_return body.error();
    const auto* const name = body->if_contains("commonName");
    if (name == nullptr || !name->is_string()) co_return refuse(400, "invalid commonName");
    const auto* const expiration = body->if_contains("expiration");
    std::optional<WallTime> wanted;
    if (expiration != nullptr && expiration->is_string()) {
        wanted = parse_rfc3339(expiration->get_string());
        if (!wanted) co_return refuse(400, "invalid expiration");
    }
    co_return answer(ca_.issue_server(name->get_string(), call.arguments[0], wanted));
}

Task<HttpResponse> WorkloadApi::get_trust_bundle(Call) {
    co_return daemon::answer(200, {{"certificate", trust_bundle()}});
}

Task<HttpResponse> WorkloadApi::manifest_trust_bundle(Call) { co_return daemon::answer(200, {{"certificate", ""}}); }

}  // namespace skerry::daemon
