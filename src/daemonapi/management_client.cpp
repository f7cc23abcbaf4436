#include "daemonapi/management_client.hpp"

#include "base/encoding.hpp"
#include "daemonapi/call.hpp"

#include <fmt/core.h>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <utility>

namespace skerry::daemonapi {

namespace json = boost::json;

namespace {
constexpr std::chrono::seconds quick{60};
constexpr std::chrono::seconds slow{300};
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

// The array `member` of the answer, each element read by `parse`; one bad element fails the whole list.
template <class T>
Task<Result<std::vector<T>>> call_for_list(net::HttpClient& http, std::string path, std::string member,
                                           Result<T> (*parse)(const json::object&)) {
    const auto answer = co_await call_for_object(http, request_of("GET", target_of(path)), quick);
    if (!answer) co_return fail(answer.error());
    const auto* list = answer->if_contains(member);
    if (list == nullptr || !list->is_array())
        co_return fail(Errc::malformed, fmt::format("the daemon's answer to GET {} has no array '{}'", path, member));
    std::vector<T> entries;
    for (const auto& value : list->get_array()) {
        if (!value.is_object())
            co_return fail(Errc::malformed, fmt::format("an element of '{}' from the daemon is no object", member));
        auto entry = parse(value.get_object());
        if (!entry) co_return fail(entry.error().while_doing(fmt::format("reading '{}' from the daemon", member)));
        entries.push_back(std::move(*entry));
    }
    co_return entries;
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

Task<Result<std::vector<model::ModuleStatus>>> ManagementClient::list_modules() {
    return call_for_list<model::ModuleStatus>(*http_, "/modules", "modules", &parse_module_status);
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
    return call_for_list<IdentityEntry>(*http_, "/identities", "identities", &parse_identity_entry);
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
