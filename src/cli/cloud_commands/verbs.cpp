#include "cli/cloud_commands/verbs.hpp"

#include "base/encoding.hpp"
#include "base/task_scope.hpp"
#include "cli/cloud_commands/text.hpp"
#include "cli/document.hpp"
#include "model/twin.hpp"

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <cstdio>
#include <exception>

namespace skerry::cli {

namespace json = boost::json;

namespace {
std::string identity_path(const CloudVerb& verb, std::string_view root) {
    auto path = fmt::format("/{}/{}", root, percent_encode(verb.device));
    if (!verb.module.empty()) path += "/modules/" + percent_encode(verb.module);
    return path;
}

std::string name_of(const CloudVerb& verb) {
    return verb.module.empty() ? fmt::format("device '{}'", verb.device)
                               : fmt::format("module '{}/{}'", verb.device, verb.module);
}

void print(const std::string& text) {
    fmt::print("{}", text);
    std::fflush(stdout);
}

// "ms-azure-iot-edge://<device>-<ticks>" -> the device.
std::string device_of_scope(std::string_view scope) {
    constexpr std::string_view scheme = "ms-azure-iot-edge://";
    if (scope.starts_with(scheme)) scope.remove_prefix(scheme.size());
    return std::string(scope.substr(0, scope.rfind('-')));
}

// A text of the identity's authentication, or of an object in it.
std::string authentication_text(const json::value& identity, std::string_view name, std::string_view in = {}) {
    const auto inner = [](const json::object* object, std::string_view member) -> const json::object* {
        const auto* value = object ? object->if_contains(member) : nullptr;
        return value ? value->if_object() : nullptr;
    };
    const auto* authentication = inner(identity.if_object(), "authentication");
    const auto* object = in.empty() ? authentication : inner(authentication, in);
    return object ? text_of(*object, name) : std::string();
}

// Empty: nothing was said of it.
Result<json::object> authentication_of(const CloudVerb& verb) {
    const bool has_thumbprint = !verb.primary_thumbprint.empty() || !verb.secondary_thumbprint.empty();
    const auto method = verb.authentication.empty() && has_thumbprint ? "x509_thumbprint" : verb.authentication;
    if (has_thumbprint && method != "x509_thumbprint")
        return fail(Errc::malformed, fmt::format("a thumbprint says nothing with --auth-method {}", method));
    if (method.empty()) return json::object{};
    if (method == "shared_private_key") return json::object{{"type", "sas"}};
    if (method == "x509_ca") return json::object{{"type", "certificateAuthority"}};
    if (!has_thumbprint) return fail(Errc::malformed, "--auth-method x509_thumbprint needs --primary-thumbprint");
    return json::object{
        {"type", "selfSigned"},
        {"x509Thumbprint",
         {{"primaryThumbprint", verb.primary_thumbprint}, {"secondaryThumbprint", verb.secondary_thumbprint}}}};
}

Task<Result<std::string>> connection_string(CloudAdmin& cloud, CloudVerb verb) {
    const auto info = co_await cloud.info();
    if (!info) co_return fail(info.error());
    const auto identity = co_await cloud.call("GET", identity_path(verb, "devices"), {});
    if (!identity) co_return fail(identity.error());
    const auto type = authentication_text(*identity, "type");
    const auto key = authentication_text(*identity, "primaryKey", "symmetricKey");
    const bool certificate = type == "selfSigned" || type == "certificateAuthority";
    if (key.empty() && !certificate)
        co_return fail(Errc::malformed, fmt::format("{} has no authentication", name_of(verb)));
    const auto host = text_of(*info, "hostName");
    const auto module = verb.module.empty() ? std::string() : ";ModuleId=" + verb.module;
    co_return fmt::format("HostName={};DeviceId={}{};{}", host, verb.device, module,
                          certificate ? "x509=true" : "SharedAccessKey=" + key);
}

Task<Result<>> print_created(CloudAdmin& cloud, CloudVerb verb, json::value made) {
    if (verb.json) {
        print(pretty(made));
        co_return Result<>{};
    }
    print(fmt::format("created {}\n", name_of(verb)));
    const auto text = co_await connection_string(cloud, verb);
    if (text) print(*text + '\n');
    co_return Result<>{};
}
}  // namespace

Task<Result<>> show_info(CloudAdmin& cloud, CloudVerb, Platform) {
    const auto info = co_await cloud.info();
    if (!info) co_return fail(info.error());
    print(pretty(json::value(*info)));
    co_return Result<>{};
}

Task<Result<>> create_device(CloudAdmin& cloud, CloudVerb verb, Platform) {
    json::object device{{"deviceId", verb.device}, {"capabilities", {{"iotEdge", verb.edge}}}};
    auto authentication = authentication_of(verb);
    if (!authentication) co_return fail(authentication.error());
    if (!authentication->empty()) device["authentication"] = std::move(*authentication);
    if (!verb.parent.empty()) {
        const auto parent = co_await cloud.call("GET", "/devices/" + percent_encode(verb.parent), {});
        if (!parent) co_return fail(parent.error().while_doing("finding the parent"));
        const auto scope = text_of(parent->as_object(), "deviceScope");
        if (scope.empty() || !parent->at("capabilities").at("iotEdge").as_bool())
            co_return fail(Errc::malformed, fmt::format("the parent '{}' is no edge device", verb.parent));
        device["parentScopes"] = json::array{json::string(scope)};
    }
    auto made = co_await cloud.call("PUT", identity_path(verb, "devices"), json::serialize(device));
    if (!made) co_return fail(made.error());
    co_return co_await print_created(cloud, std::move(verb), std::move(*made));
}

Task<Result<>> update_device(CloudAdmin& cloud, CloudVerb verb, Platform) {
    json::object change{{"deviceId", verb.device}};
    auto authentication = authentication_of(verb);
    if (!authentication) co_return fail(authentication.error());
    if (!authentication->empty()) change["authentication"] = std::move(*authentication);
    if (!verb.status.empty()) change["status"] = to_lower(verb.status);
    if (change.size() == 1) co_return fail(Errc::malformed, "nothing to change: give --status or --auth-method");
    const auto changed = co_await cloud.change(identity_path(verb, "devices"), json::serialize(change));
    if (!changed) co_return fail(changed.error());
    print(fmt::format("updated {}\n", name_of(verb)));
    co_return Result<>{};
}

Task<Result<>> create_module(CloudAdmin& cloud, CloudVerb verb, Platform) {
    const json::object module{{"deviceId", verb.device}, {"moduleId", verb.module}};
    auto made = co_await cloud.call("PUT", identity_path(verb, "devices"), json::serialize(module));
    if (!made) co_return fail(made.error());
    co_return co_await print_created(cloud, std::move(verb), std::move(*made));
}

Task<Result<>> list_devices(CloudAdmin& cloud, CloudVerb verb, Platform) {
    const auto list = co_await cloud.call("GET", "/devices", {});
    if (!list) co_return fail(list.error());
    if (verb.json || !list->is_array()) {
        print(pretty(*list));
        co_return Result<>{};
    }
    std::vector<std::vector<std::string>> rows{{"DEVICE", "KIND", "STATUS", "STATE", "PARENT"}};
    for (const auto& element : list->get_array()) {
        const auto& device = element.as_object();
        const bool edge = device.at("capabilities").at("iotEdge").as_bool();
        const auto& parents = device.at("parentScopes").as_array();
        rows.push_back({text_of(device, "deviceId"), edge ? "edge" : "plain", text_of(device, "status"),
                        text_of(device, "connectionState"),
                        parents.empty() ? std::string("-") : device_of_scope(parents.front().as_string())});
    }
    print(table(rows));
    co_return Result<>{};
}

Task<Result<>> list_modules(CloudAdmin& cloud, CloudVerb verb, Platform) {
    const auto list = co_await cloud.call("GET", fmt::format("/devices/{}/modules", percent_encode(verb.device)), {});
    if (!list) co_return fail(list.error());
    if (verb.json || !list->is_array()) {
        print(pretty(*list));
        co_return Result<>{};
    }
    std::vector<std::vector<std::string>> rows{{"MODULE", "STATE", "MANAGED BY"}};
    for (const auto& element : list->get_array()) {
        const auto& module = element.as_object();
        const auto managed = text_of(module, "managedBy");
        rows.push_back(
            {text_of(module, "moduleId"), text_of(module, "connectionState"), managed.empty() ? "-" : managed});
    }
    print(table(rows));
    co_return Result<>{};
}

Task<Result<>> show_identity(CloudAdmin& cloud, CloudVerb verb, Platform) {
    const auto identity = co_await cloud.call("GET", identity_path(verb, "devices"), {});
    if (!identity) co_return fail(identity.error());
    print(pretty(*identity));
    co_return Result<>{};
}

Task<Result<>> delete_identity(CloudAdmin& cloud, CloudVerb verb, Platform) {
    const auto deleted = co_await cloud.call("DELETE", identity_path(verb, "devices"), {});
    if (!deleted) co_return fail(deleted.error());
    print(fmt::format("deleted {}\n", name_of(verb)));
    co_return Result<>{};
}

Task<Result<>> show_connection_string(CloudAdmin& cloud, CloudVerb verb, Platform) {
    const auto text = co_await connection_string(cloud, std::move(verb));
    if (!text) co_return fail(text.error());
    print(*text + '\n');
    co_return Result<>{};
}

Task<Result<>> show_twin(CloudAdmin& cloud, CloudVerb verb, Platform) {
    const auto twin = co_await cloud.call("GET", identity_path(verb, "twins"), {});
    if (!twin) co_return fail(twin.error());
    print(pretty(*twin));
    co_return Result<>{};
}

Task<Result<>> update_twin(CloudAdmin& cloud, CloudVerb verb, Platform platform) {
    auto patch = read_document(verb.document, platform.files);
    if (!patch) co_return fail(patch.error());
    // A whole twin's patch, {"desired":…}, or just the desired properties.
    if (patch->contains("desired"))
        patch = json::object{{"properties", *patch}};
    else if (!patch->contains("properties") && !patch->contains("tags"))
        patch = json::object{{"properties", {{"desired", *patch}}}};
    const auto twin = co_await cloud.call("PATCH", identity_path(verb, "twins"), json::serialize(*patch));
    if (!twin) co_return fail(twin.error());
    if (verb.json)
        print(pretty(*twin));
    else
        print(fmt::format("updated the twin of {}: desired version {}\n", name_of(verb),
                          json::serialize(twin->at("properties").at("desired").at("$version"))));
    co_return Result<>{};
}

Task<Result<>> deploy(CloudAdmin& cloud, CloudVerb verb, Platform platform) {
    auto content = read_document(verb.document, platform.files);
    if (!content) co_return fail(content.error());
    if (const auto* inner = content->if_contains("content"); inner != nullptr && inner->is_object()) {
        json::object unwrapped = inner->get_object();
        content = std::move(unwrapped);
    }
    const auto target = fmt::format("/devices/{}/applyConfigurationContent", percent_encode(verb.device));
    const auto applied = co_await cloud.call("POST", target, json::serialize(*content));
    if (!applied) co_return fail(applied.error());
    const auto* modules = content->if_contains("modulesContent");
    print(fmt::format("deployed to device '{}': the desired properties of {} modules are set\n", verb.device,
                      modules != nullptr && modules->is_object() ? modules->get_object().size() : 0));
    co_return Result<>{};
}

Task<Result<>> invoke_method(CloudAdmin& cloud, CloudVerb verb, Platform) {
    json::object call{{"methodName", verb.method},
                      {"responseTimeoutInSeconds", verb.timeout_seconds},
                      {"connectTimeoutInSeconds", verb.timeout_seconds}};
    if (!verb.payload.empty()) {
        json::error_code error;
        call["payload"] = json::parse(verb.payload, error);
        if (error) co_return fail(Errc::malformed, "the payload is not JSON; quote a plain text: '\"text\"'");
    }
    const auto limit = std::chrono::seconds(2 * verb.timeout_seconds + 10);
    const auto answer =
        co_await cloud.call("POST", identity_path(verb, "twins") + "/methods", json::serialize(call), limit);
    if (!answer) co_return fail(answer.error());
    if (verb.json)
        print(json::serialize(*answer) + '\n');
    else
        print(fmt::format("status {}\n{}", json::serialize(answer->at("status")), pretty(answer->at("payload"))));
    co_return Result<>{};
}

Task<Result<>> show_events(CloudAdmin& cloud, CloudVerb verb, Platform) {
    const auto on_line = [as_json = verb.json](std::string_view line) {
        fmt::print("{}\n", as_json ? std::string(line) : event_text(line));
        return std::fflush(stdout) == 0;  // nobody reads any more
    };
    co_return co_await cloud.events(
        {.from_start = verb.from_start || !verb.follow, .follow = verb.follow, .device = verb.device}, on_line);
}

namespace {
struct VerbState {
    explicit VerbState(const Executor& executor) : ended(executor) {}
    Result<> result;
    Event ended;
};

Task<> run_to_end(RunVerb run, CloudAdmin& cloud, CloudVerb verb, Platform platform, std::shared_ptr<VerbState> state) {
    try {
        state->result = co_await run(cloud, std::move(verb), platform);
    } catch (const std::exception& failure) {
        // A cancellation ends the task; an answer of a shape that no cloud of ours gives is an error of that cloud.
        if (state->ended.is_set()) throw;
        state->result = fail(Errc::malformed, fmt::format("the cloud's answer is not understood: {}", failure.what()));
    }
    state->ended.set();
}

Task<> end_on_stop(Event& stop, std::shared_ptr<VerbState> state) {
    co_await stop.wait();
    state->ended.set();
}
}  // namespace

Task<int> run_verb(RunVerb run, CloudVerb verb, Platform platform, Event& stop) {
    const auto data = verb.data.native();
    CloudAdmin cloud(platform.network, platform.clock, verb.data / "admin.sock");
    const auto state = std::make_shared<VerbState>(platform.executor);
    TaskScope scope(platform.executor);
    scope.spawn("cloud verb", run_to_end(run, cloud, std::move(verb), platform, state));
    scope.spawn("stop", end_on_stop(stop, state));
    co_await state->ended.wait();
    co_await scope.close();
    if (state->result) co_return 0;
    const auto& error = state->result.error();
    if (error.code == Errc::unreachable)
        fmt::print(stderr, "error: no cloud runs on '{}': {}\n", data, error.text);
    else
        fmt::print(stderr, "error: {}\n", error.text);
    co_return 1;
}

}  // namespace skerry::cli
