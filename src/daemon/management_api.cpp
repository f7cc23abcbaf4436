#include "daemon/management_api.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "base/timeout.hpp"
#include "crypto/crypto.hpp"
#include "daemon/engine_change.hpp"
#include "daemon/log_query.hpp"
#include "daemon/log_stream.hpp"
#include "daemon/support_bundle.hpp"
#include "daemon/system_info.hpp"
#include "daemonapi/shapes.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace skerry::daemon {

namespace json = boost::json;
using codec::HttpRequest;
using codec::HttpResponse;

namespace {
constexpr auto everybody = Access::everybody;
constexpr auto agent = Access::agent;
constexpr auto first = Since::v2018_06_28;
using Api = ManagementApi;

constexpr std::array<Route<Api>, 18> routes{{
    {"GET", "modules", first, everybody, &Api::list_modules},
    {"POST", "modules", first, agent, &Api::create_module},
    {"GET", "modules/*", first, everybody, &Api::get_module},
    {"PUT", "modules/*", first, agent, &Api::update_module},
    {"DELETE", "modules/*", first, agent, &Api::delete_module},
    {"POST", "modules/*/start", first, everybody, &Api::start_module},
    {"POST", "modules/*/stop", first, everybody, &Api::stop_module},
    {"POST", "modules/*/restart", first, everybody, &Api::restart_module},
    {"GET", "modules/*/logs", first, everybody, &Api::module_logs},
    {"POST", "modules/*/prepareupdate", Since::v2019_01_30, agent, &Api::prepare_update},
    {"GET", "identities", first, everybody, &Api::list_identities},
    {"POST", "identities", first, agent, &Api::create_identity},
    {"PUT", "identities/*", first, agent, &Api::update_identity},
    {"DELETE", "identities/*", first, agent, &Api::delete_identity},
    {"GET", "systeminfo", first, everybody, &Api::system_info},
    {"GET", "systeminfo/resources", Since::v2019_11_05, everybody, &Api::system_resources},
    {"GET", "systeminfo/supportbundle", Since::v2020_07_07, everybody, &Api::support_bundle},
    {"POST", "device/reprovision", Since::v2019_10_22, agent, &Api::reprovision},
}};

constexpr std::size_t most_waiting = 16;
constexpr std::chrono::seconds longest_wait{60};

HttpResponse not_modified(const HttpResponse& list) {
    HttpResponse response;
    response.status = 304;
    response.headers.set("ETag", std::string(list.headers.find("ETag").value_or("")));
    return response;
}

HttpResponse answer(const Result<>& done) { return done ? no_content() : refuse(done.error()); }

json::object to_json(const KnownIdentity& identity) {
    return daemonapi::to_json(
        daemonapi::IdentityEntry{identity.module_id, identity.managed_by, identity.generation, "sas"});
}

HttpResponse answer(const Result<KnownIdentity>& identity) {
    return identity ? daemon::answer(200, to_json(*identity)) : refuse(identity.error());
}

// The spec in the body; with `name`, it must be that module's.
std::expected<model::ModuleSpec, HttpResponse> spec_of(const HttpRequest& request, const std::string* name) {
    const auto body = body_of(request);
    if (!body) return std::unexpected(body.error());
    auto spec = daemonapi::parse_module_spec(*body);
    if (!spec) return std::unexpected(refuse(spec.error()));
    if (name != nullptr && spec->name != *name)
        return std::unexpected(refuse(400, "module name in spec does not match URI"));
    return std::move(*spec);
}

std::string text_member(const json::object& body, std::string_view name) {
    const auto* const found = body.if_contains(name);
    return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}
}  // namespace

ManagementApi::ManagementApi(Platform platform, const Config& config, Modules& modules, Identities& identities,
                             AgentTrial& trial, Event& reprovision)
    : platform_(platform),
      config_(config),
      modules_(modules),
      identities_(identities),
      trial_(trial),
      reprovision_(reprovision),
      started_(platform.clock.steady()),
      scope_(platform.executor) {}

Task<HttpResponse> ManagementApi::handle(HttpRequest request, std::optional<pid_t> caller) {
    return dispatch(*this, routes, std::move(request), caller);
}

bool ManagementApi::is_agent(pid_t caller) const { return modules_.engine().owns_process("edgeAgent", caller); }

Task<HttpResponse> ManagementApi::list_modules(Call call) {
    if (trial_.on_trial() && call.caller && is_agent(*call.caller)) trial_.asked();
    struct Waiting {
        std::size_t& count;
        explicit Waiting(std::size_t& all) : count(all) { ++count; }
        ~Waiting() { --count; }
    };
    const auto known = call.request.headers.find("If-None-Match");
    if (!known) {
        auto list = co_await module_list();
        co_return list ? std::move(*list) : refuse(list.error());
    }
    const bool may_wait = waiting_ < most_waiting;
    const auto wait = may_wait ? preferred_wait(call.request.headers.find("Prefer").value_or("")) : Duration{};
    const auto until = platform_.clock.steady() + std::min<Duration>(wait, longest_wait);
    const Waiting waiting(waiting_);
    for (;;) {
        const auto seen = modules_.engine().changes();
        auto list = co_await module_list();
        if (!list) co_return refuse(list.error());
        if (list->headers.find("ETag") != known) co_return std::move(*list);
        const auto left = until - platform_.clock.steady();
        if (left <= Duration{}) co_return not_modified(*list);
        static_cast<void>(co_await with_timeout<void>(platform_.clock, left, changed(modules_.engine(), seen)));
    }
}

// With a tag that is the same as long as the list is.
Task<Result<HttpResponse>> ManagementApi::module_list() {
    const auto modules = co_await modules_.engine().list();
    if (!modules) co_return fail(modules.error());
    json::array list;
    for (const auto& module : *modules) list.push_back(daemonapi::to_json(module));
    auto response = daemon::answer(200, {{"modules", std::move(list)}});
    response.headers.set("ETag", '"' + hex_encode(crypto::sha256(response.body)) + '"');
    co_return response;
}

Task<HttpResponse> ManagementApi::details(std::string name, unsigned status) {
    const auto module = co_await modules_.engine().inspect(std::move(name));
    co_return module ? daemon::answer(status, daemonapi::to_json(*module)) : refuse(module.error());
}

Task<HttpResponse> ManagementApi::create_module(Call call) {
    auto spec = spec_of(call.request, nullptr);
    if (!spec) co_return spec.error();
    const auto name = spec->name;
    if (const auto created = co_await modules_.create(std::move(*spec)); !created) co_return refuse(created.error());
    co_return co_await details(name, 201);
}

Task<HttpResponse> ManagementApi::get_module(Call call) { co_return co_await details(call.arguments[0], 200); }

Task<HttpResponse> ManagementApi::update_module(Call call) {
    const auto& name = call.arguments[0];
    auto spec = spec_of(call.request, &name);
    if (!spec) co_return spec.error();
    const bool start = call.request.query("start") == "true";
    if (name != "edgeAgent") {
        if (const auto updated = co_await modules_.update(std::move(*spec), start); !updated)
            co_return refuse(updated.error());
        co_return co_await details(name, 201);
    }
    // The caller is what is replaced: it is answered before the work begins.
    auto answered = co_await details(name, 201);
    if (answered.status == 201) scope_.spawn("update edgeAgent", update_later(std::move(*spec), start));
    co_return answered;
}

Task<> ManagementApi::update_later(model::ModuleSpec spec, bool start) {
    using namespace std::chrono_literals;
    co_await platform_.clock.sleep(100ms);  // for the answer to leave
    if (const auto updated = co_await modules_.update(std::move(spec), start); !updated)
        log::error("edgeAgent could not be updated: {}", updated.error().text);
}

Task<HttpResponse> ManagementApi::delete_module(Call call) {
    co_return answer(co_await modules_.remove(call.arguments[0]));
}
Task<HttpResponse> ManagementApi::start_module(Call call) {
    co_return answer(co_await modules_.start(call.arguments[0]));
}
Task<HttpResponse> ManagementApi::stop_module(Call call) {
    co_return answer(co_await modules_.stop(call.arguments[0]));
}
Task<HttpResponse> ManagementApi::restart_module(Call call) {
    co_return answer(co_await modules_.restart(call.arguments[0]));
}

Task<HttpResponse> ManagementApi::module_logs(Call call) {
    auto options = parse_log_query(call.request, platform_.clock.wall());
    if (!options) co_return refuse(options.error());
    const auto& name = call.arguments[0];
    if (const auto there = co_await modules_.engine().inspect(name); !there) co_return refuse(there.error());
    HttpResponse response;
    response.headers.set("Content-Type", "text/plain");
    response.next_chunk = stream_logs(platform_.executor, modules_.engine(), name, std::move(*options));
    co_return response;
}

Task<HttpResponse> ManagementApi::prepare_update(Call call) {
    auto spec = spec_of(call.request, &call.arguments[0]);
    if (!spec) co_return spec.error();
    co_return answer(co_await modules_.prepare(std::move(*spec)));
}

Task<HttpResponse> ManagementApi::list_identities(Call) {
    const auto identities = co_await identities_.list();
    if (!identities) co_return refuse(identities.error());
    json::array list;
    for (const auto& identity : *identities) list.push_back(to_json(identity));
    co_return daemon::answer(200, {{"identities", std::move(list)}});
}

Task<HttpResponse> ManagementApi::create_identity(Call call) {
    const auto body = body_of(call.request);
    if (!body) co_return body.error();
    const auto id = text_member(*body, "moduleId");
    if (!model::is_valid_id(id)) co_return refuse(400, "invalid moduleId");
    auto managed_by = text_member(*body, "managedBy");
    co_return answer(co_await identities_.update(id, managed_by.empty() ? "IotEdge" : std::move(managed_by)));
}

Task<HttpResponse> ManagementApi::update_identity(Call call) {
    const auto body = body_of(call.request);
    if (!body) co_return body.error();
    if (!model::is_valid_id(call.arguments[0])) co_return refuse(400, "invalid moduleId");
    co_return answer(co_await identities_.update(call.arguments[0], text_member(*body, "managedBy")));
}

Task<HttpResponse> ManagementApi::delete_identity(Call call) {
    co_return answer(co_await identities_.remove(call.arguments[0]));
}

Task<HttpResponse> ManagementApi::system_info(Call) {
    auto system = describe_system(platform_.files, modules_.engine().info());
    if (config_.additional_info) {
        const auto added = add_info(platform_.files, *config_.additional_info, system);
        if (!added) log::warn("additional_info: {}", added.error().text);
    }
    co_return daemon::answer(200, std::move(system));
}

Task<HttpResponse> ManagementApi::system_resources(Call) {
    const auto statistics = co_await modules_.engine().statistics();
    if (!statistics) log::warn("{}", statistics.error().text);
    const auto uptime = platform_.clock.steady() - started_;
    co_return daemon::answer(200, describe_resources(platform_.files, config_.home, uptime, processors_,
                                                     statistics.value_or(json::array{})));
}

Task<HttpResponse> ManagementApi::support_bundle(Call call) {
    auto options = parse_bundle_query(call.request, platform_.clock.wall());
    if (!options) co_return refuse(options.error());
    const auto place = std::ranges::find_if(bundles_, [](const auto& bundle) { return bundle.expired(); });
    if (place == bundles_.end()) co_return refuse(429, "two support bundles are being made already; ask again later");
    const auto held = std::make_shared<char>();
    *place = held;
    HttpResponse response;
    response.headers.set("Content-Type", "application/zip");
    response.next_chunk = [held, next = stream_bundle({.platform = platform_,
                                                       .engine = modules_.engine(),
                                                       .home = config_.home,
                                                       .config = config_.file,
                                                       .process_uptime = platform_.clock.steady() - started_,
                                                       .own_log = find_own_log(platform_.files)},
                                                      *options)] { return next(); };
    co_return response;
}

Task<HttpResponse> ManagementApi::reprovision(Call) {
    log::info("a new start was asked for: the configuration is read again");
    reprovision_.set();
    co_return no_content();
}

}  // namespace skerry::daemon
