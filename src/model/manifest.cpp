#include "model/manifest.hpp"

#include "base/encoding.hpp"
#include "model/fields.hpp"
#include "model/identity.hpp"
#include "model/schema_version.hpp"

#include <fmt/format.h>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <algorithm>

namespace skerry::model {

namespace json = boost::json;

std::string_view name_of(DesiredStatus status) { return status == DesiredStatus::running ? "running" : "stopped"; }

std::string_view name_of(RestartPolicy policy) {
    switch (policy) {
        case RestartPolicy::never: return "never";
        case RestartPolicy::on_failure: return "on-failure";
        case RestartPolicy::on_unhealthy: return "on-unhealthy";
        case RestartPolicy::always: return "always";
    }
    return "always";
}

std::string_view name_of(PullPolicy policy) { return policy == PullPolicy::on_create ? "on-create" : "never"; }

namespace {
enum class Kind { user, hub, agent };

template <class Enum, std::size_t N>
Enum one_of(Fields& fields, std::string_view name, const Enum (&choices)[N], Enum fallback) {
    const auto text = fields.text(name, name_of(fallback));
    std::string allowed;
    for (const auto choice : choices) {
        if (equals_ignoring_case(text, name_of(choice))) return choice;
        allowed += fmt::format("{}'{}'", allowed.empty() ? "" : ", ", name_of(choice));
    }
    fields.complain(name, fmt::format("'{}' is none of {}", text, allowed));
    return fallback;
}

void check_type(Fields& fields) {
    const auto type = fields.required_text("type");
    if (fields.good() && type != "docker") fields.complain("type", fmt::format("'{}' is not 'docker'", type));
}

std::map<std::string, std::string> read_env(Fields& fields, std::string& problem) {
    std::map<std::string, std::string> out;
    const auto* env = fields.object("env");
    if (env == nullptr) return out;
    for (const auto& [name, entry] : *env) {
        Fields at(*env, fields.path_of("env"), problem);
        if (name.empty() || name.find_first_of(std::string_view("=\0", 2)) != json::string::npos)
            at.complain(name, "is no name for an environment variable");
        const auto* object = entry.if_object();
        if (object == nullptr) {
            at.complain(name, R"(must be an object: {"value": "…"})");
            break;
        }
        out.emplace(name, Fields(*object, at.path_of(name), problem).text("value"));
    }
    return out;
}

void read_settings(Fields& fields, std::string_view parent_host, std::string& problem, ManifestModule& module) {
    const auto* object = fields.required_object("settings");
    if (object == nullptr) return;
    Fields settings(*object, fields.path_of("settings"), problem);
    if (const auto image = settings.required_text("image"); settings.good()) {
        auto normal = normalise_image(image, parent_host);
        if (normal)
            module.image = std::move(*normal);
        else
            settings.complain("image", normal.error().text);
    }
    auto options = read_create_options(*object);
    if (options)
        module.create_options = std::move(*options);
    else if (problem.empty())
        problem = settings.path_of(options.error().text);
    if (const auto digest = settings.text("digest"); !digest.empty()) module.digest = digest;
}

ManifestModule read_module(std::string name, Kind kind, Fields fields, std::string_view parent_host,
                           std::string& problem) {
    ManifestModule module;
    module.name = std::move(name);
    check_type(fields);
    read_settings(fields, parent_host, problem, module);
    module.version = fields.text("version");
    module.env = read_env(fields, problem);
    module.pull_policy =
        one_of(fields, "imagePullPolicy", {PullPolicy::on_create, PullPolicy::never}, PullPolicy::on_create);
    if (kind == Kind::agent) {  // what the manifest says of these is overruled: the agent always runs, and first
        module.restart_policy = RestartPolicy::always;
        module.startup_order = 0;
        return module;
    }
    if (fields.good() && fields.find("status") == nullptr) fields.complain("status", "is missing");
    module.status = one_of(fields, "status", {DesiredStatus::running, DesiredStatus::stopped}, DesiredStatus::running);
    module.restart_policy =
        one_of(fields, "restartPolicy",
               {RestartPolicy::never, RestartPolicy::on_failure, RestartPolicy::on_unhealthy, RestartPolicy::always},
               kind == Kind::hub ? RestartPolicy::always : RestartPolicy::on_unhealthy);
    const auto order = fields.number("startupOrder", last_startup_order);
    module.startup_order = static_cast<std::uint32_t>(order.value_or(last_startup_order));
    return module;
}

std::string resolve_address(std::string address, std::string_view parent_host) {
    constexpr std::string_view upstream = "$upstream";
    if (address.starts_with(upstream) && !parent_host.empty()) address.replace(0, upstream.size(), parent_host);
    return address;
}

void read_runtime(Fields& top, std::string_view parent_host, std::string& problem, Manifest& manifest) {
    const auto* object = top.required_object("runtime");
    if (object == nullptr) return;
    Fields runtime(*object, "runtime", problem);
    check_type(runtime);
    const auto* settings_object = runtime.required_object("settings");
    if (settings_object == nullptr) return;
    Fields settings(*settings_object, "runtime.settings", problem);
    manifest.min_docker_version = settings.text("minDockerVersion");
    manifest.logging_options = settings.text("loggingOptions");
    const auto* credentials = settings.object("registryCredentials");
    if (credentials == nullptr) return;
    Fields all(*credentials, settings.path_of("registryCredentials"), problem);
    for (const auto& [name, entry] : *credentials) {
        const auto* credential = all.object(name);
        if (credential == nullptr) continue;  // null: none
        Fields fields(*credential, all.path_of(name), problem);
        RegistryCredential read;
        read.address = resolve_address(fields.required_text("address"), parent_host);
        read.username = fields.required_text("username");
        read.password = fields.required_text("password");
        manifest.registry_credentials.emplace(name, std::move(read));
    }
}

void read_system_modules(Fields& top, std::string_view parent_host, std::string& problem, Manifest& manifest) {
    const auto* object = top.required_object("systemModules");
    if (object == nullptr) return;
    Fields system(*object, "systemModules", problem);
    const auto read = [&](std::string name, Kind kind) -> std::optional<ManifestModule> {
        const auto* module = system.object(name);
        if (module == nullptr) return std::nullopt;
        Fields fields(*module, system.path_of(name), problem);
        return read_module(std::move(name), kind, std::move(fields), parent_host, problem);
    };
    manifest.agent = read("edgeAgent", Kind::agent);
    manifest.hub = read("edgeHub", Kind::hub);
}

void read_modules(Fields& top, std::string_view parent_host, std::string& problem, Manifest& manifest) {
    const auto* object = top.object("modules");
    if (object == nullptr) return;
    Fields modules(*object, "modules", problem);
    for (const auto& [key, entry] : *object) {
        const std::string name(key);
        if (entry.is_null()) continue;
        if (!is_valid_id(name)) modules.complain(name, "is no valid module id");
        if (name == "edgeAgent" || name == "edgeHub" || name == "$edgeAgent" || name == "$edgeHub")
            modules.complain(name, "this name is reserved for systemModules");
        const auto* module = modules.object(name);
        if (!modules.good()) return;
        Fields fields(*module, modules.path_of(name), problem);
        manifest.modules.emplace(name, read_module(name, Kind::user, std::move(fields), parent_host, problem));
    }
}

std::optional<bool> read_switch(Fields& fields, std::string_view name) {
    const auto text = fields.text(name);
    if (text.empty()) return std::nullopt;
    if (equals_ignoring_case(text, "true") || equals_ignoring_case(text, "on")) return true;
    if (equals_ignoring_case(text, "false") || equals_ignoring_case(text, "off")) return false;
    fields.complain(name, fmt::format("'{}' is neither true nor false", text));
    return std::nullopt;
}

void read_policy(Fields& top, std::string& problem, DeploymentPolicy& policy) {
    const auto* object = top.object("deploymentPolicy");
    if (object == nullptr) return;
    Fields fields(*object, "deploymentPolicy", problem);
    const auto number = [&](std::string_view name, std::uint32_t greatest) -> std::optional<std::uint32_t> {
        const auto value = fields.number(name, greatest);
        return value ? std::optional(static_cast<std::uint32_t>(*value)) : std::nullopt;
    };
    policy.rollback = read_switch(fields, "rollback");
    policy.probation_seconds = number("probationSeconds", longest_probation_seconds);
    policy.failures_allowed = number("failuresAllowed", most_failures_allowed);
}

std::optional<ManifestError> check_schema_version(const std::string& text) {
    const auto version = parse_schema_version(text);
    if (!version) return ManifestError{412, fmt::format("Invalid desired properties schema version {}", text)};
    if (version->major == 1 && version->minor <= 1) return std::nullopt;
    return ManifestError{412,
                         fmt::format("The desired properties schema version {} is not compatible with the expected "
                                     "version 1.1.0",
                                     text)};
}
}  // namespace

std::expected<Manifest, ManifestError> parse_manifest(const json::object& desired, std::string_view parent_host) {
    const auto is_metadata = [](const auto& member) { return member.key().starts_with('$'); };
    if (std::ranges::all_of(desired, is_metadata))
        return std::unexpected(ManifestError{417,
                                             "This device has an empty configuration for the edge agent. Please set a "
                                             "deployment manifest."});
    std::string problem;
    Manifest manifest;
    Fields top(desired, {}, problem);
    manifest.schema_version = top.required_text("schemaVersion");
    if (!problem.empty()) return std::unexpected(ManifestError{400, problem});
    if (auto error = check_schema_version(manifest.schema_version)) return std::unexpected(std::move(*error));

    read_runtime(top, parent_host, problem, manifest);
    read_system_modules(top, parent_host, problem, manifest);
    read_modules(top, parent_host, problem, manifest);
    read_policy(top, problem, manifest.policy);
    if (!problem.empty()) return std::unexpected(ManifestError{400, problem});
    return manifest;
}

}  // namespace skerry::model
