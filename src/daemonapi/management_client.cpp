#include "daemonapi/management_client.hpp"

#include "base/encoding.hpp"
#include "daemonapi/call.hpp"
#include "model/twin.hpp"

#include <fmt/core.h>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace skerry::daemonapi {

namespace json = boost::json;

namespace {
constexpr std::chrono::seconds quick{60};
constexpr std::chrono::seconds slow{300};
constexpr std::chrono::seconds longest_wait{60};
// A module may be given an hour to stop in order.
constexpr std::chrono::hours stopping{2};
// An image may have gigabytes, and its line be poor; the daemon gives up by itself when nothing arrives any more.
constexpr std::chrono::hours pulling{24};

std::string target_of(std::string_view path, std::string_view query = {}) {
    return fmt::format("{}?api-version={}{}{}", path, api_version, query.empty() ? "" : "&", query);
}

std::string module_path(std::string_view name, std::string_view verb = {}) {
    return fmt::format("/modules/{}{}", percent_encode(name), verb);
}

std::string identity_path(std::string_view module_id) {
    return fmt::format("/identities/{}", percent_encode(module_id));
}

Task<Result<>> call_for_nothing(net::HttpClient& http, codec::HttpRequest request, Duration limit) {
    const auto response = co_await call(http, std::move(request), limit);
    if (!response) co_return fail(response.error());
    co_return Result<>{};
}

// The array `member` of an answer, each element read by `parse`; one bad element fails the whole list.
template <class T>
Result<std::vector<T>> read_list(const codec::HttpResponse& response, std::string_view member,
                                 Result<T> (*parse)(const json::object&)) {
    const auto reading = fmt::format("reading '{}' from the daemon", member);
    const auto answer = model::parse_object(response.body);
    if (!answer) return fail(answer.error().while_doing(reading));
    const auto* list = answer->if_contains(member);
    if (list == nullptr || !list->is_array())
        return fail(Errc::malformed, fmt::format("the daemon's answer has no array '{}'", member));
    std::vector<T> entries;
    for (const auto& value : list->get_array()) {
        if (!value.is_object())
            return fail(Errc::malformed, fmt::format("an element of '{}' from the daemon is no object", member));
        auto entry = parse(value.get_object());
        if (!entry) return fail(entry.error().while_doing(reading));
        entries.push_back(std::move(*entry));
    }
    return entries;
}

Task<Result<IdentityEntry>> call_for_identity(net::HttpClient& http, codec::HttpRequest request) {
    const auto answer = co_await call_for_object(http, std::move(request), quick);
    if (!answer) co_return fail(answer.error());
    co_return parse_identity_entry(*answer);
}

void add(std::string& query, std::string_view name, const std::string& value) {
    if (!value.empty()) query += fmt::format("&{}={}", name, percent_encode(value));
}

std::string log_query(const LogOptions& options) {
    std::string query = fmt::format("follow={}&timestamps={}", options.follow, options.timestamps);
    add(query, "tail", options.tail);
    add(query, "since", options.since);
    add(query, "until", options.until);
    return query;
}

std::string bundle_query(const SupportBundleOptions& options) {
    std::string query = fmt::format("edge_runtime_only={}", options.edge_runtime_only);
    add(query, "since", options.since);
    add(query, "until", options.until);
    return query;
}
}  // namespace

Result<std::unique_ptr<ManagementClient>> ManagementClient::create(net::Network& network, Clock& clock,
                                                                   std::string_view uri) {
    auto http = client_of(network, clock, uri);
    if (!http) return fail(http.error());
    return std::unique_ptr<ManagementClient>(new ManagementClient(std::move(*http)));
}

ManagementClient::ManagementClient(std::unique_ptr<net::HttpClient> http) : http_(std::move(http)) {}

Task<Result<ModuleList>> ManagementClient::list_modules() {
    const auto response = co_await call(*http_, request_of("GET", target_of("/modules")), quick);
    if (!response) co_return fail(response.error());
    auto modules = read_list<model::ModuleStatus>(*response, "modules", &parse_module_status);
    if (!modules) co_return fail(modules.error());
    const auto tag = response->headers.find("ETag").value_or("");
    co_return ModuleList{.modules = std::move(*modules), .tag = std::string(tag)};
}

Task<Result<bool>> ManagementClient::wait_change(std::string tag, Duration at_most) {
    constexpr unsigned not_modified = 304;
    const auto wait = std::chrono::ceil<std::chrono::seconds>(std::min<Duration>(at_most, longest_wait));
    auto request = request_of("GET", target_of("/modules"));
    request.headers.set("If-None-Match", std::move(tag));
    request.headers.set("Prefer", fmt::format("wait={}", wait.count()));
    const auto response = co_await call(*http_, std::move(request), wait + quick);
    if (!response) co_return fail(response.error());
    co_return response->status != not_modified;
}

Task<Result<>> ManagementClient::create_module(const model::ModuleSpec& spec) {
    return call_for_nothing(*http_, request_of("POST", target_of("/modules"), to_json(spec)), pulling);
}

Task<Result<>> ManagementClient::update_module(const model::ModuleSpec& spec, bool start) {
    const auto target = target_of(module_path(spec.name), fmt::format("start={}", start));
    return call_for_nothing(*http_, request_of("PUT", target, to_json(spec)), pulling);
}

Task<Result<>> ManagementClient::prepare_update(const model::ModuleSpec& spec) {
    const auto target = target_of(module_path(spec.name, "/prepareupdate"));
    return call_for_nothing(*http_, request_of("POST", target, to_json(spec)), pulling);
}

Task<Result<>> ManagementClient::start_module(std::string name) {
    return call_for_nothing(*http_, request_of("POST", target_of(module_path(name, "/start"))), slow);
}

Task<Result<>> ManagementClient::stop_module(std::string name) {
    return call_for_nothing(*http_, request_of("POST", target_of(module_path(name, "/stop"))), stopping);
}

Task<Result<>> ManagementClient::restart_module(std::string name) {
    return call_for_nothing(*http_, request_of("POST", target_of(module_path(name, "/restart"))), stopping);
}

Task<Result<>> ManagementClient::remove_module(std::string name) {
    return call_for_nothing(*http_, request_of("DELETE", target_of(module_path(name))), stopping);
}

Task<Result<>> ManagementClient::logs(std::string name, LogOptions options,
                                      std::function<bool(std::string_view)> on_bytes) {
    const auto path = module_path(name, "/logs");
    const auto response =
        co_await http_->stream(request_of("GET", target_of(path, log_query(options))), std::move(on_bytes));
    if (!response) co_return fail(response.error().while_doing(fmt::format("reading the log of module '{}'", name)));
    co_return check(*response, fmt::format("GET {}", path));
}

Task<Result<>> ManagementClient::relay_logs(std::string name, LogOptions options,
                                            std::function<Task<bool>(std::string)> on_bytes) {
    const auto path = module_path(name, "/logs");
    const auto response =
        co_await http_->relay(request_of("GET", target_of(path, log_query(options))), std::move(on_bytes));
    if (!response) co_return fail(response.error().while_doing(fmt::format("reading the log of module '{}'", name)));
    co_return check(*response, fmt::format("GET {}", path));
}

Task<Result<std::vector<IdentityEntry>>> ManagementClient::list_identities() {
    const auto response = co_await call(*http_, request_of("GET", target_of("/identities")), quick);
    if (!response) co_return fail(response.error());
    co_return read_list<IdentityEntry>(*response, "identities", &parse_identity_entry);
}

Task<Result<IdentityEntry>> ManagementClient::create_identity(std::string module_id) {
    const json::object body{{"moduleId", module_id}, {"managedBy", "iotedge"}};
    return call_for_identity(*http_, request_of("POST", target_of("/identities"), body));
}

Task<Result<IdentityEntry>> ManagementClient::update_identity(std::string module_id, std::string generation_id) {
    const json::object body{{"generationId", generation_id}, {"managedBy", "iotedge"}};
    return call_for_identity(*http_, request_of("PUT", target_of(identity_path(module_id)), body));
}

Task<Result<>> ManagementClient::delete_identity(std::string module_id) {
    return call_for_nothing(*http_, request_of("DELETE", target_of(identity_path(module_id))), quick);
}

Task<Result<json::object>> ManagementClient::system_info() {
    return call_for_object(*http_, request_of("GET", target_of("/systeminfo")), quick);
}

Task<Result<json::object>> ManagementClient::system_resources() {
    return call_for_object(*http_, request_of("GET", target_of("/systeminfo/resources")), quick);
}

Task<Result<>> ManagementClient::relay_support_bundle(SupportBundleOptions options,
                                                      std::function<Task<bool>(std::string)> on_bytes) {
    const std::string path = "/systeminfo/supportbundle";
    const auto response =
        co_await http_->relay(request_of("GET", target_of(path, bundle_query(options))), std::move(on_bytes));
    if (!response) co_return fail(response.error().while_doing("reading the support bundle"));
    co_return check(*response, "GET " + path);
}

Task<Result<>> ManagementClient::reprovision() {
    return call_for_nothing(*http_, request_of("POST", target_of("/device/reprovision")), quick);
}

}  // namespace skerry::daemonapi
