#include "hub/http/nested.hpp"

#include "base/log.hpp"
#include "base/timeout.hpp"
#include "hub/http/answers.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace skerry::hub::http {

using codec::HttpRequest;
using codec::HttpResponse;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

constexpr Duration longest_question = 10s;
// The names that the two families give to what went wrong.
constexpr std::string_view scope_member = "ErrorMessage";
constexpr std::string_view registry_member = "errorMessage";

// An identity service takes 500 for "no network" and goes on with what it knows; a hub comes again after one.
unsigned status_of(const Error& error) {
    switch (error.code) {
        case Errc::malformed: return 400;
        case Errc::unauthorized:
        case Errc::not_found: return 401;
        case Errc::conflict:
        case Errc::timeout:
        case Errc::closed:
        case Errc::full:
        case Errc::unreachable:
        case Errc::unsupported:
        case Errc::io:
        case Errc::internal: break;
    }
    return 500;
}

HttpResponse refuse_scope(const Error& error) { return refuse(status_of(error), error.text, scope_member); }

HttpResponse refuse_registry(const Error& error) {
    const auto status = status_of(error);
    return status == 401 ? answer(401, "") : refuse(status, error.text, registry_member);
}

HttpResponse scope_answer(const std::vector<const iothub::ScopeIdentity*>& devices,
                          const std::vector<const iothub::ScopeIdentity*>& modules, const std::string& next) {
    json::array device_list;
    for (const auto* device : devices) device_list.emplace_back(iothub::to_json(*device));
    json::array module_list;
    for (const auto* module : modules) module_list.emplace_back(iothub::to_json(*module));
    return answer(200, json::serialize(json::object{
                           {"devices", std::move(device_list)},
                           {"modules", std::move(module_list)},
                           {"continuationLink", next.empty() ? json::value(nullptr) : json::value(next)}}));
}

Task<Result<>> answered(Scope& scope, model::Identity identity, CloudLink& link, std::string above) {
    (void)co_await scope.ask_about(std::move(identity), link, {.above = std::move(above)});
    co_return Result<>{};
}

Error not_above(const std::string& above, const std::string& below) {
    return {
        Errc::unauthorized,
        fmt::format("{} is not above {}, as far as is known here, or is disabled, or nested too deep", above, below)};
}

bool is_at_the_end(const std::vector<std::string>& chain, const model::Identity& hub) {
    return chain.back() == hub.device_id();
}

}  // namespace

// Brings `target` up to date, for who asks has a reason to: at most once per delay, and only while the cloud is there.
Task<Result<>> Nested::look_up(model::Identity target, std::string above) {
    if (link_.connected())
        (void)co_await with_timeout<void>(clock_, longest_question, answered(scope_, target, link_, std::move(above)));
    if (!scope_.find(target) && !link_.connected())
        co_return fail(Errc::unreachable,
                       fmt::format("{} is not known here, and the cloud can't be asked now", target.id()));
    co_return Result<>{};
}

// Who acts for the first of `claimed`, up to this device, when `hub` may: our scope must lead from the one to the other
// by the way that the hub names.
Task<Result<std::vector<std::string>>> Nested::chain_for(model::Identity hub, std::vector<std::string> claimed) {
    auto first = model::Identity::parse(claimed.front());
    if (!first) co_return fail(Errc::malformed, first.error().text);
    if (!is_at_the_end(claimed, hub))
        co_return fail(Errc::unauthorized,
                       fmt::format("the authChain ends with '{}', but {} asks", claimed.back(), hub.device_id()));
    auto chain = scope_.chain_of(*first);
    if (chain.empty()) {
        if (auto known = co_await look_up(*first, hub.device_id()); !known) co_return fail(known.error());
        chain = scope_.chain_of(*first);
    }
    if (chain.size() <= claimed.size() || !std::ranges::equal(claimed, std::span(chain).first(claimed.size())))
        co_return fail(not_above(hub.device_id(), claimed.front()));
    co_return chain;
}

Task<HttpResponse> Nested::of_hub(std::string edge, std::string operation, HttpRequest request, const net::Peer& peer) {
    const auto on_modules = registry_operation(operation);
    const bool page = operation == "devicesAndModulesInTargetDeviceScope";
    const bool one = operation == "getDeviceAndModuleOnBehalfOf";
    if (!enabled_ || (!on_modules && !page && !one))
        co_return refuse(404, fmt::format("there is no '{}' here", operation), scope_member);
    const auto* const method = on_modules == RegistryOperation::put ? "PUT" : "POST";
    if (request.method != method) co_return wrong_method(method);
    auto hub = co_await callers_.admit_hub(std::move(edge), request, peer);
    if (!hub) {
        log::info("A call of an edge hub below is refused: {}", hub.error().text);
        co_return on_modules ? refuse_registry(hub.error()) : refuse_scope(hub.error());
    }
    if (on_modules) co_return co_await registry(std::move(*hub), *on_modules, std::move(request));
    if (page) co_return co_await scope_page(std::move(*hub), std::move(request.body));
    co_return co_await scope_one(std::move(*hub), std::move(request.body));
}

Task<HttpResponse> Nested::scope_page(model::Identity hub, std::string body) {
    const auto call = parse_scope_page(body);
    if (!call) co_return refuse_scope(call.error());
    const auto chain = co_await chain_for(hub, call->chain);
    if (!chain) co_return refuse_scope(chain.error());
    const auto target = model::Identity::device(call->chain.front());
    const auto* edge = target ? scope_.find(*target) : nullptr;
    if (edge && !scope_.is_whole(*edge)) {
        // A list with gaps would have the child forget what it knows.
        if (link_.connected()) (void)co_await with_timeout<void>(clock_, longest_question, scope_.refresh(link_));
        edge = scope_.find(*target);
        if (edge && !scope_.is_whole(*edge))
            co_return refuse_scope(
                {Errc::unreachable, "what is below " + target->id() + " is not known, and the cloud could not tell"});
    }
    if (!edge || !edge->iot_edge)
        co_return refuse_scope({Errc::unauthorized, call->chain.front() + " is no edge device"});
    const auto found = scope_.below(*edge, call->after, call->page_size);
    co_return scope_answer(found.devices, found.modules, found.next);
}

Task<HttpResponse> Nested::scope_one(model::Identity hub, std::string body) {
    auto call = parse_scope_one(body);
    if (!call) co_return refuse_scope(call.error());
    const auto& target = call->target;
    const auto origin = call->chain.front();
    if (auto known = co_await look_up(target, origin == target.id() ? hub.device_id() : origin); !known)
        co_return refuse_scope(known.error());
    if (const auto chain = co_await chain_for(hub, call->chain); !chain) co_return refuse_scope(chain.error());
    const auto above = scope_.chain_of(target);
    if (std::ranges::find(above, origin) == above.end()) co_return refuse_scope(not_above(origin, target.id()));

    const auto device = model::Identity::device(target.device_id());
    std::vector<const iothub::ScopeIdentity*> devices{device ? scope_.find(*device) : nullptr};
    std::vector<const iothub::ScopeIdentity*> modules{target.is_module() ? scope_.find(target) : nullptr};
    std::erase(devices, nullptr);
    std::erase(modules, nullptr);
    if (target.is_module() && modules.empty())
        co_return refuse_scope({Errc::unauthorized, target.id() + " is not known here"});
    co_return scope_answer(devices, modules, {});
}

Task<HttpResponse> Nested::registry(model::Identity hub, RegistryOperation operation, HttpRequest request) {
    auto call = parse_registry_call(operation, request.body);
    if (!call) co_return refuse_registry(call.error());
    auto chain = co_await chain_for(hub, call->chain);
    if (!chain) {
        log::info("A call of {} about modules of {} is refused: {}", hub.id(), call->chain.front(), chain.error().text);
        co_return refuse_registry(chain.error());
    }
    co_return co_await pass_on(std::move(*call), std::move(*chain), request);
}

Task<HttpResponse> Nested::of_device(std::string device, std::string module, HttpRequest request,
                                     const net::Peer& peer) {
    const auto operation = module.empty()               ? RegistryOperation::list
                           : request.method == "PUT"    ? RegistryOperation::put
                           : request.method == "DELETE" ? RegistryOperation::remove
                                                        : RegistryOperation::get;
    const bool reads = operation == RegistryOperation::list || operation == RegistryOperation::get;
    if (reads && request.method != "GET") co_return wrong_method(module.empty() ? "GET" : "GET, PUT, DELETE");
    if (operation == RegistryOperation::list && !request.query("api-version")) {
        auto refused = refuse(400, "the query must have an api-version", registry_member);
        refused.headers.set("iothub-errorcode", "InvalidProtocolVersion");
        co_return refused;
    }
    auto identity = model::Identity::device(device);
    if (!identity) co_return refuse(400, identity.error().text, registry_member);
    if (const auto admitted = co_await callers_.admit(*identity, request, peer); !admitted) {
        log::info("A call about modules of {} is refused: {}", device, admitted.error().text);
        co_return refuse_registry(admitted.error());
    }
    auto chain = scope_.chain_of(*identity);
    if (chain.empty()) co_return answer(401, "");
    auto call = registry_call_of(operation, device, module, request.body);
    if (!call) co_return refuse_registry(call.error());
    co_return co_await pass_on(std::move(*call), std::move(chain), request);
}

Task<HttpResponse> Nested::pass_on(RegistryCall call, std::vector<std::string> chain, const HttpRequest& request) {
    auto said = co_await link_.relay(
        to_cloud(std::move(call), chain, std::string(request.headers.find("If-Match").value_or(""))));
    if (!said) co_return refuse_registry({Errc::unreachable, said.error().text});
    auto passed = answer(said->status, std::move(said->body));
    if (!said->error_code.empty()) passed.headers.set("iothub-errorcode", std::move(said->error_code));
    co_return passed;
}

}  // namespace skerry::hub::http
