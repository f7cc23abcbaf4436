#include "cloud/rest/rest.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "cloud/rest/shapes.hpp"
#include "model/twin.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace skerry::cloud {

Outcome<boost::json::object> body_object(const codec::HttpRequest& request) {
    auto body = model::parse_object(request.body);
    if (!body) return refuse(HubCode::format_error, body.error().while_doing("the request's body").text);
    return std::move(*body);
}

Outcome<model::Identity> device_of(const std::string& id) {
    auto identity = model::Identity::device(id);
    if (!identity) return refuse(identity.error());
    return std::move(*identity);
}

Outcome<model::Identity> module_of(const std::string& device, const std::string& id) {
    auto identity = model::Identity::module(device, id);
    if (!identity) return refuse(identity.error());
    return std::move(*identity);
}

std::string text_member(const boost::json::object& object, std::string_view name) {
    const auto* member = object.if_contains(name);
    return member != nullptr && member->is_string() ? std::string(member->get_string()) : std::string();
}

Fault no_such_call(const codec::HttpRequest& request) {
    return {HubCode::not_found, fmt::format("this hub has no call {} {}", request.method, request.raw_path())};
}

Fault wrong_method(const codec::HttpRequest& request) {
    return {HubCode::method_not_allowed, fmt::format("{} is not offered at {}", request.method, request.raw_path())};
}

// Clients send "*", *, "etag", W/"etag": one form remains (2.4).
IfMatch Rest::Call::if_match() const {
    const auto header = request.headers.find("If-Match");
    if (!header) return std::nullopt;
    auto value = *header;
    if (value.starts_with("W/")) value.remove_prefix(2);
    if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"')) value = value.substr(1, value.size() - 2);
    return std::string(value);
}

std::size_t Rest::Call::page_size(std::string_view name, std::size_t largest) const {
    const auto from_header = request.headers.find(name);
    const auto from_query = request.query(name);
    const std::string_view text = from_header ? *from_header : from_query ? std::string_view(*from_query) : "";
    std::size_t size = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
    return error != std::errc() || size == 0 ? largest : std::min(size, largest);
}

Task<Outcome<>> Rest::authorize(const Call& call, Rights rights, std::vector<model::Identity> identities) {
    if (call.trust == Trust::owner) co_return Outcome<>{};
    const auto token = call.request.headers.find("Authorization");
    if (!token)
        co_return co_await hub_.ask([&](Stores& stores) {
            return stores.authenticator.authorize_certificate(call.certificates_pem, identities);
        });
    const std::string text(*token);
    co_return co_await hub_.ask(
        [&](Stores& stores) { return stores.authenticator.authorize(text, rights, identities); });
}

Task<codec::HttpResponse> Rest::handle(codec::HttpRequest request, Trust trust,
                                       std::vector<std::string> certificates_pem) {
    auto path = request.segments();
    while (!path.empty() && path.back().empty()) path.pop_back();
    const Call call{std::move(request), std::move(path), trust, std::move(certificates_pem)};
    auto answer = co_await dispatch(call);
    if (answer) co_return to_response(std::move(*answer));
    const auto& fault = answer.error();
    if (status_of(fault.code) >= 500)
        log::warn("https: {} {}: {}", call.request.method, call.request.raw_path(), fault.text);
    else
        log::debug("https: {} {}: {}", call.request.method, call.request.raw_path(), fault.text);
    const bool method = !call.path.empty() && call.path.back() == "methods" && call.path.front() == "twins";
    co_return to_response(fault, method ? FaultForm::method : FaultForm::registry, random_, clock_.wall());
}

Rest::Reply Rest::dispatch(const Call& call) {
    const auto& path = call.path;
    if (!path.empty() && path[0] == "devices") co_return co_await on_devices(call);
    if (!path.empty() && path[0] == "twins") co_return co_await on_twins(call);
    if (path.size() >= 3 && path.size() <= 5 && path[0] == "messages" &&
        equals_ignoring_case(path[1], "serviceBound") && path[2] == "feedback")
        co_return co_await on_feedback(call);
    if (path.size() == 2 && path[0] == "statistics") co_return co_await statistics(call);
    co_return refuse(no_such_call(call.request));
}

Rest::Reply Rest::on_devices(const Call& call) {
    const auto& path = call.path;
    if (path.size() == 1) {
        if (call.is("GET")) co_return co_await list_devices(call);
        if (call.is("POST")) co_return co_await change_devices(call);
        co_return refuse(wrong_method(call.request));
    }
    if (path.size() == 2 && path[1] == "query" && call.is("POST")) co_return co_await query(call);
    const auto device = device_of(path[1]);
    if (!device) co_return refuse(device.error());
    if (path.size() == 2) co_return co_await on_device(call, *device);
    if (path.size() == 3 && path[2] == "modules") co_return co_await list_modules(call, *device);
    if (path.size() == 3 && path[2] == "applyConfigurationContent")
        co_return co_await apply_configuration(call, *device);
    if (path.size() == 4 && path[2] == "messages" && path[3] == "events") co_return co_await send_events(call, *device);
    if (path.size() == 3 && path[2] == "commands") co_return co_await purge_commands(call, *device);
    if (path.size() >= 4 && path.size() <= 6 && path[2] == "messages" && equals_ignoring_case(path[3], "deviceBound"))
        co_return co_await on_commands(call, *device);
    if (path.size() < 4 || path[2] != "modules") co_return refuse(no_such_call(call.request));

    const auto module = module_of(path[1], path[3]);
    if (!module) co_return refuse(module.error());
    if (path.size() == 4) co_return co_await on_module(call, *module);
    if (path.size() == 5 && is_on_behalf(path[4])) co_return co_await on_behalf(call, *module);
    if (path.size() == 5) co_return co_await on_scope(call, *module);
    if (path.size() == 6 && path[4] == "messages" && path[5] == "events") co_return co_await send_events(call, *module);
    co_return refuse(no_such_call(call.request));
}

Rest::Reply Rest::on_twins(const Call& call) {
    auto path = call.path;
    const bool method = path.size() > 2 && path.back() == "methods";
    if (method) path.pop_back();
    const bool of_module = path.size() == 4 && path[2] == "modules";
    if (path.size() != 2 && !of_module) co_return refuse(no_such_call(call.request));
    const auto identity = of_module ? module_of(path[1], path[3]) : device_of(path[1]);
    if (!identity) co_return refuse(identity.error());
    if (method) co_return co_await invoke(call, *identity);
    co_return co_await on_twin(call, *identity);
}

}  // namespace skerry::cloud
