#include "iothub/registry_client.hpp"

#include "base/encoding.hpp"
#include "iothub/auth_chain.hpp"

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <chrono>
#include <set>
#include <utility>

namespace skerry::iothub {

namespace json = boost::json;

namespace {
constexpr std::chrono::seconds limit{60};
constexpr std::string_view identity_version = "?api-version=2017-11-08-preview";
constexpr std::string_view scope_version = "?api-version=2020-06-30-preview";
constexpr std::string_view flat_version = "api-version=2018-08-30-preview";
constexpr std::size_t page_size = 100;
constexpr std::size_t most_identities = 100'000;
constexpr std::size_t most_pages = 1'000;
constexpr std::size_t deepest = 5;  // edge devices above each other

codec::HttpRequest request_of(std::string method, std::string target, const json::object* body = nullptr) {
    codec::HttpRequest request{.method = std::move(method), .target = std::move(target), .headers = {}, .body = {}};
    if (body != nullptr) {
        request.headers.set("Content-Type", "application/json; charset=utf-8");
        request.body = json::serialize(*body);
    }
    return request;
}

Errc code_of(unsigned status) {
    switch (status) {
        case 401:
        case 403: return Errc::unauthorized;
        case 404: return Errc::not_found;
        case 408: return Errc::timeout;
        case 409:
        case 412: return Errc::conflict;
        case 429: return Errc::full;
        default: return status >= 500 ? Errc::unreachable : Errc::malformed;
    }
}

std::string text_or_empty(const json::object& object, std::string_view name) {
    const auto* member = object.if_contains(name);
    if (member == nullptr || !member->is_string()) return {};
    return std::string(std::string_view(member->get_string()));
}

Result<json::value> parse_body(const std::string& body) {
    boost::system::error_code wrong;
    auto value = json::parse(body, wrong, {}, {.max_depth = 64});
    if (wrong) return fail(Errc::malformed, "the hub's answer is not JSON: " + wrong.message());
    return value;
}

// {"Message":…}, {"errorMessage":…} or {"ErrorMessage":…}; anything else as it is, shortened.
std::string words_of(const std::string& body) {
    constexpr std::size_t longest = 1000;
    const auto value = parse_body(body);
    if (value && value->is_object())
        for (const auto* name : {"Message", "errorMessage", "ErrorMessage"})
            if (auto text = text_or_empty(value->get_object(), name); !text.empty()) return text.substr(0, longest);
    return body.substr(0, longest);
}

Result<ModuleIdentity> parse_module(const json::value& value) {
    if (!value.is_object()) return fail(Errc::malformed, "the hub's answer is no module");
    const auto& object = value.get_object();
    ModuleIdentity module{.module_id = text_or_empty(object, "moduleId"),
                          .generation_id = text_or_empty(object, "generationId"),
                          .managed_by = text_or_empty(object, "managedBy"),
                          .etag = text_or_empty(object, "etag"),
                          .authentication_type = "none",
                          .keys = {}};
    if (!model::is_valid_id(module.module_id))
        return fail(Errc::malformed, "a module of the hub has no valid 'moduleId'");
    const auto* authentication = object.if_contains("authentication");
    if (authentication == nullptr || !authentication->is_object()) return module;
    if (auto type = text_or_empty(authentication->get_object(), "type"); !type.empty())
        module.authentication_type = std::move(type);
    const auto* keys = authentication->get_object().if_contains("symmetricKey");
    if (keys != nullptr && keys->is_object())
        module.keys = {text_or_empty(keys->get_object(), "primaryKey"),
                       text_or_empty(keys->get_object(), "secondaryKey")};
    return module;
}

json::object to_json(const ModuleIdentity& module, std::string_view device_id) {
    json::object json{{"moduleId", module.module_id}, {"deviceId", json::string(device_id)}};
    if (!module.managed_by.empty()) json["managedBy"] = module.managed_by;
    json::object authentication{{"type", module.authentication_type}};
    if (!module.keys.primary.empty())
        authentication["symmetricKey"] =
            json::object{{"primaryKey", module.keys.primary}, {"secondaryKey", module.keys.secondary}};
    json["authentication"] = std::move(authentication);
    return json;
}

// Adds what `page` lists under `member`. One identity that we can't read must not hide the others, so it is left out.
void add_identities(const json::object& page, std::string_view member,
                    Result<ScopeIdentity> (*parse)(const json::object&), std::vector<ScopeIdentity>& found) {
    const auto* list = page.if_contains(member);
    if (list == nullptr || !list->is_array()) return;
    for (const auto& entry : list->get_array()) {
        if (!entry.is_object()) continue;
        if (auto identity = parse(entry.get_object())) found.push_back(std::move(*identity));
    }
}

// Returns where the next page is, or nothing after the last one.
Result<std::string> read_page(const json::value& answer, std::vector<ScopeIdentity>& found) {
    if (!answer.is_object()) return fail(Errc::malformed, "the hub's answer to a scope call is no object");
    const auto& page = answer.get_object();
    add_identities(page, "devices", &parse_scope_device, found);
    add_identities(page, "modules", &parse_scope_module, found);
    return text_or_empty(page, "continuationLink");
}

std::string scope_target(std::string_view device_id, std::string_view verb) {
    return fmt::format("/devices/{}/modules/%24edgeHub/{}{}", percent_encode(device_id), verb, scope_version);
}
}  // namespace

RegistryClient::RegistryClient(std::unique_ptr<net::HttpClient> http, std::shared_ptr<Credentials> credentials,
                               std::string device_id, ScopeForm form)
    : http_(std::move(http)), credentials_(std::move(credentials)), device_id_(std::move(device_id)), form_(form) {}

Task<Result<codec::HttpResponse>> RegistryClient::exchange(codec::HttpRequest request, Duration within) {
    const auto what = fmt::format("{} {}", request.method, request.raw_path());
    auto token = co_await credentials_->token();
    if (!token) co_return fail(token.error().while_doing(what));
    request.headers.set("Authorization", std::move(*token));
    request.headers.set("Accept", "application/json");
    auto response = co_await http_->exchange(std::move(request), within);
    if (!response) co_return fail(response.error().while_doing(what));
    if (response->status == 401) credentials_->forget();
    co_return response;
}

Task<Result<json::value>> RegistryClient::call(codec::HttpRequest request) {
    const auto what = fmt::format("{} {}", request.method, request.raw_path());
    const auto response = co_await exchange(std::move(request), limit);
    if (!response) co_return fail(response.error());
    if (response->status >= 300)
        co_return fail(code_of(response->status),
                       fmt::format("{}: the hub answered {}: {}", what, response->status, words_of(response->body)));
    if (response->body.empty()) co_return json::value();
    auto value = parse_body(response->body);
    if (!value) co_return fail(value.error().while_doing(what));
    co_return std::move(*value);
}

Task<Result<std::vector<ModuleIdentity>>> RegistryClient::list_modules() {
    const auto answer = co_await call(
        request_of("GET", fmt::format("/devices/{}/modules{}", percent_encode(device_id_), identity_version)));
    if (!answer) co_return fail(answer.error());
    if (!answer->is_array()) co_return fail(Errc::malformed, "the hub's list of modules is no array");
    std::vector<ModuleIdentity> modules;
    for (const auto& entry : answer->get_array()) {
        auto module = parse_module(entry);
        if (!module) co_return fail(module.error());
        modules.push_back(std::move(*module));
    }
    co_return modules;
}

Task<Result<ModuleIdentity>> RegistryClient::get_module(std::string module_id) {
    const auto answer =
        co_await call(request_of("GET", fmt::format("/devices/{}/modules/{}{}", percent_encode(device_id_),
                                                    percent_encode(module_id), identity_version)));
    if (!answer) co_return fail(answer.error());
    co_return parse_module(*answer);
}

Task<Result<ModuleIdentity>> RegistryClient::put_module(ModuleIdentity module, bool create) {
    const auto body = to_json(module, device_id_);
    auto request = request_of("PUT",
                              fmt::format("/devices/{}/modules/{}{}", percent_encode(device_id_),
                                          percent_encode(module.module_id), identity_version),
                              &body);
    if (!create) request.headers.set("If-Match", "*");
    const auto answer = co_await call(std::move(request));
    if (!answer) co_return fail(answer.error());
    co_return parse_module(*answer);
}

Task<Result<ModuleIdentity>> RegistryClient::create_module(std::string module_id, std::string managed_by) {
    return put_module({.module_id = std::move(module_id),
                       .generation_id = {},
                       .managed_by = std::move(managed_by),
                       .etag = {},
                       .keys = {}},
                      true);
}

Task<Result<ModuleIdentity>> RegistryClient::update_module(const ModuleIdentity& module) {
    return put_module(module, false);
}

Task<Result<>> RegistryClient::delete_module(std::string module_id) {
    auto request = request_of("DELETE", fmt::format("/devices/{}/modules/{}{}", percent_encode(device_id_),
                                                    percent_encode(module_id), identity_version));
    request.headers.set("If-Match", "*");
    const auto answer = co_await call(std::move(request));
    if (!answer) co_return fail(answer.error());
    co_return Result<>{};
}

// All pages of what is directly below the first of `auth_chain`.
Task<Result<>> RegistryClient::add_scope(const std::string& auth_chain, std::vector<ScopeIdentity>& found) {
    std::string link;
    for (std::size_t pages = 0; pages < most_pages && found.size() <= most_identities; ++pages) {
        json::object body{{"pageSize", page_size}, {"authChain", auth_chain}};
        if (!link.empty()) body["continuationLink"] = link;
        const auto answer =
            co_await call(request_of("POST", scope_target(device_id_, "devicesAndModulesInTargetDeviceScope"), &body));
        if (!answer) co_return fail(answer.error());
        auto next = read_page(*answer, found);
        if (!next) co_return fail(next.error());
        if (next->empty()) co_return Result<>{};
        link = std::move(*next);
    }
    co_return fail(Errc::full, fmt::format("the device's scope has more than {} identities or {} pages",
                                           most_identities, most_pages));
}

namespace {
// An edge device whose own scope is still to be read.
struct Layer {
    std::string device_id;
    std::string auth_chain;
    std::size_t depth;
};
}  // namespace

// All pages of the older form; each names the next one as a whole target.
Task<Result<std::vector<ScopeIdentity>>> RegistryClient::flat_scope() {
    std::vector<ScopeIdentity> found;
    const auto path = fmt::format("/devices/{}/modules/%24edgeHub/", percent_encode(device_id_));
    auto target = fmt::format("{}devicesAndModulesInDeviceScope?deviceCount={}&continuationToken=&{}", path, page_size,
                              flat_version);
    for (std::size_t pages = 0; pages < most_pages && found.size() <= most_identities; ++pages) {
        const auto answer = co_await call(request_of("GET", target));
        if (!answer) co_return fail(answer.error());
        auto next = read_page(*answer, found);
        if (!next) co_return fail(next.error());
        if (next->empty()) co_return found;
        if (!next->starts_with('/')) co_return fail(Errc::malformed, "the hub's continuationLink is no path of it");
        target = std::move(*next);
    }
    co_return fail(Errc::full, fmt::format("the device's scope has more than {} identities or {} pages",
                                           most_identities, most_pages));
}

Task<Result<std::vector<ScopeIdentity>>> RegistryClient::scope() {
    if (form_ == ScopeForm::flat) co_return co_await flat_scope();
    std::vector<ScopeIdentity> found;
    std::set<std::string> seen{device_id_};
    std::vector<Layer> layers{{device_id_, device_id_, 1}};
    for (std::size_t i = 0; i < layers.size(); ++i) {
        const auto layer = layers[i];
        const auto first = found.size();
        const auto added = co_await add_scope(layer.auth_chain, found);
        // What is below an edge device that the hub says no to must not hide all others.
        const auto hides_others =
            !added && (i == 0 || (added.error().code != Errc::unauthorized && added.error().code != Errc::not_found));
        if (hides_others) co_return fail(added.error());
        for (auto at = first; at < found.size() && layer.depth < deepest; ++at) {
            const auto& device = found[at];
            if (!device.iot_edge || device.identity.is_module() || !seen.insert(device.identity.id()).second) continue;
            layers.push_back({device.identity.id(), device.identity.id() + ';' + layer.auth_chain, layer.depth + 1});
        }
    }
    co_return found;
}

Task<Result<std::vector<ScopeIdentity>>> RegistryClient::scope_of(const model::Identity& target,
                                                                  const std::vector<std::string>& above) {
    if (form_ == ScopeForm::flat) {
        auto path = fmt::format(
            "/devices/{}/modules/%24edgeHub/deviceAndModuleInDeviceScope?targetDeviceId={}&targetModuleId={}&{}",
            percent_encode(device_id_), percent_encode(target.device_id()), percent_encode(target.module_id()),
            flat_version);
        return call_for_page(request_of("GET", std::move(path)));
    }
    const auto chain = above.empty() ? device_id_ : format_auth_chain(above);
    json::object body{{"targetDeviceId", target.device_id()}, {"authChain", chain}};
    if (target.is_module()) body["targetModuleId"] = target.module_id();
    return call_for_page(request_of("POST", scope_target(device_id_, "getDeviceAndModuleOnBehalfOf"), &body));
}

Task<Result<OnBehalfAnswer>> RegistryClient::on_behalf(OnBehalfCall call, Duration within) {
    codec::HttpRequest request{.method = std::move(call.method),
                               .target = scope_target(device_id_, call.operation),
                               .headers = {},
                               .body = std::move(call.body)};
    request.headers.set("Content-Type", "application/json; charset=utf-8");
    if (!call.if_match.empty()) request.headers.set("If-Match", std::move(call.if_match));
    auto response = co_await exchange(std::move(request), within);
    if (!response) co_return fail(response.error());
    OnBehalfAnswer answer{.status = response->status, .body = std::move(response->body), .error_code = {}};
    answer.error_code = response->headers.find("iothub-errorcode").value_or("");
    co_return answer;
}

Task<Result<std::vector<ScopeIdentity>>> RegistryClient::call_for_page(codec::HttpRequest request) {
    const auto answer = co_await call(std::move(request));
    if (!answer) co_return fail(answer.error());
    std::vector<ScopeIdentity> found;
    if (const auto read = read_page(*answer, found); !read) co_return fail(read.error());
    co_return found;
}

}  // namespace skerry::iothub
