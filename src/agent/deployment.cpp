#include "agent/deployment.hpp"

#include "base/encoding.hpp"
#include "crypto/crypto.hpp"
#include "daemonapi/management_client.hpp"
#include "model/twin.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace skerry::agent {

namespace json = boost::json;

namespace {

constexpr std::size_t most_registries = 100;  // of the agent's environment
constexpr std::string_view upstream = "$upstream";

// Where every module finds its workload socket. An engine that can't put it there rewrites the variable.
constexpr std::string_view module_workload_uri = "unix:///var/run/iotedge/workload.sock";

// Objects with sorted members and without those that mean the default, so that equal options have equal text.
json::value canonical(const json::value& value);

json::object canonical_object(const json::object& object) {
    std::map<std::string_view, const json::value*> sorted;
    for (const auto& member : object) sorted.emplace(member.key(), &member.value());
    json::object result;
    for (const auto& [key, value] : sorted) {
        const bool says_no = value->is_bool() && !value->as_bool() && key != "Init" && key != "OomKillDisable";
        if (value->is_null() || says_no) continue;  // of those two, false is not what is meant by saying nothing
        auto item = canonical(*value);
        if (key == "HostConfig" && item.is_object() && item.as_object().empty()) continue;
        result.emplace(key, std::move(item));
    }
    return result;
}

json::value canonical(const json::value& value) {
    if (const auto* object = value.if_object()) return canonical_object(*object);
    if (const auto* array = value.if_array()) {
        json::array result;
        for (const auto& item : *array) result.push_back(canonical(item));
        return result;
    }
    return value;
}

bool is_system(std::string_view module) { return module == agent_name || module == hub_name; }

using Env = std::map<std::string, std::string>;

void set_if_any(Env& env, const std::string& name, const std::string& value) {
    if (!value.empty()) env[name] = value;
}

bool has_ignoring_case(const Env& env, std::string_view name) {
    return std::ranges::any_of(env, [&](const auto& entry) { return equals_ignoring_case(entry.first, name); });
}

// Which hub the module speaks to: part of the fingerprint, for a module with an old address must be replaced.
void add_addresses(Env& env, std::string_view module, const DeviceFacts& facts) {
    env["IOTEDGE_IOTHUBHOSTNAME"] = facts.hub_host;
    env["IOTEDGE_DEVICEID"] = facts.device_id;
    env["IOTEDGE_MODULEID"] = identity_of(module);
    if (is_system(module)) {
        set_if_any(env, "EdgeDeviceHostName", facts.device_host);
        set_if_any(env, "IOTEDGE_GATEWAYHOSTNAME", facts.parent_host);
    } else {
        set_if_any(env, "IOTEDGE_GATEWAYHOSTNAME", facts.device_host);
        set_if_any(env, "IOTEDGE_PARENTHOSTNAME", facts.parent_host);
    }
}

void add_agent_only(Env& env, const DeviceFacts& facts) {
    set_if_any(env, "IOTEDGE_MANAGEMENTURI", facts.management_uri);
    set_if_any(env, "NetworkId", facts.network_id);
    set_if_any(env, "IOTEDGE_WORKLOADLISTEN_MNTURI", facts.workload_listen_uri);
    env["Mode"] = "iotedged";
}

Env environment_of(const model::ManifestModule& module, const DeviceFacts& facts, std::string_view generation_id) {
    Env env = module.env;
    if (!has_ignoring_case(env, "RuntimeLogLevel")) set_if_any(env, "RuntimeLogLevel", facts.log_level);
    if (!has_ignoring_case(env, "UpstreamProtocol")) set_if_any(env, "UpstreamProtocol", facts.upstream_protocol);
    add_addresses(env, module.name, facts);
    env["IOTEDGE_WORKLOADURI"] = module_workload_uri;
    env["IOTEDGE_AUTHSCHEME"] = "sasToken";
    env["IOTEDGE_MODULEGENERATIONID"] = generation_id;
    if (module.name == agent_name) add_agent_only(env, facts);
    env["IOTEDGE_APIVERSION"] = facts.api_version;
    return env;
}

// The registry of an image (5.8): the first part of a path if it looks like a host, else Docker's own.
std::string registry_of(std::string_view image) {
    const auto slash = image.find('/');
    if (slash == std::string_view::npos) return {};
    const auto first = image.substr(0, slash);
    if (first.find_first_of(".:") != std::string_view::npos) return std::string(first);
    return "https://index.docker.io/v1/";
}

json::object auth_of(const model::RegistryCredential& credential) {
    return {
        {"username", credential.username}, {"password", credential.password}, {"serveraddress", credential.address}};
}

// The deployment's come first, then those of the agent's own environment.
json::object credentials_for(std::string_view image, const model::Manifest& manifest, const DeviceFacts& facts) {
    const auto registry = registry_of(image);
    if (registry.empty()) return {};
    for (const auto& [name, credential] : manifest.registry_credentials)
        if (equals_ignoring_case(credential.address, registry)) return auth_of(credential);
    for (const auto& credential : facts.registries)
        if (equals_ignoring_case(credential.address, registry)) return auth_of(credential);
    return {};
}

// DockerRegistryAuth__0__serverAddress, …__username, …__password; then 1, 2 …
std::vector<model::RegistryCredential> registries_in(const daemonapi::Environment& environment,
                                                     const std::string& parent_host) {
    std::vector<model::RegistryCredential> all;
    for (std::size_t number = 0; number < most_registries; ++number) {
        const auto value = [&](std::string_view member) {
            return environment.value_or("DockerRegistryAuth__" + std::to_string(number) + "__" + std::string(member),
                                        "");
        };
        model::RegistryCredential found{
            .address = value("serverAddress"), .username = value("username"), .password = value("password")};
        if (found.address.empty() || found.username.empty()) continue;
        if (found.address.starts_with(upstream) && !parent_host.empty())
            found.address.replace(0, upstream.size(), parent_host);
        all.push_back(std::move(found));
    }
    return all;
}

// The engine takes names whatever their case, and takes a name only once.
json::value& labels_of(json::object& options) {
    for (auto& member : options)
        if (equals_ignoring_case(member.key(), "Labels")) return member.value();
    return options["Labels"];
}

void set_label(json::object& options, std::string_view name, std::string value) {
    auto& labels = labels_of(options);
    if (!labels.is_object()) labels.emplace_object();
    labels.as_object()[name] = std::move(value);
}

// A label of a module that the engine runs.
std::optional<std::string> label(const model::ModuleStatus& status, std::string_view name) {
    const auto* labels = status.create_options.if_contains("Labels");
    if (labels == nullptr || !labels->is_object()) return std::nullopt;
    const auto* value = labels->as_object().if_contains(name);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return std::string(value->as_string());
}

bool same_env(const json::object& a, const json::object& b) { return canonical_object(a) == canonical_object(b); }

bool is_bootstrap_of(const model::ModuleStatus& status, const model::ManifestModule& wanted) {
    const auto image = model::normalise_image(label(status, original_image_label).value_or(status.image), {});
    if (!image || *image != wanted.image) return false;
    const auto options = label(status, agent_options_label);
    const auto env = label(status, agent_env_label);
    if (!options || !env) return true;
    const auto parsed_options = model::parse_object(*options);
    const auto parsed_env = model::parse_object(*env);
    return parsed_options && parsed_env && model::same_create_options(*parsed_options, wanted.create_options) &&
           same_env(*parsed_env, env_json(wanted.env));
}

DesiredModule desired_of(const model::ManifestModule& module, const DeviceFacts& facts) {
    return {.name = module.name,
            .running = module.status == model::DesiredStatus::running,
            .policy = module.restart_policy,
            .order = module.startup_order,
            .fingerprint = fingerprint(module, facts)};
}

}  // namespace

Result<DeviceFacts> DeviceFacts::from(const daemonapi::Environment& environment) {
    DeviceFacts facts;
    for (const auto& [name, target] :
         {std::pair{"IOTEDGE_DEVICEID", &facts.device_id}, std::pair{"IOTEDGE_IOTHUBHOSTNAME", &facts.hub_host},
          std::pair{"IOTEDGE_MANAGEMENTURI", &facts.management_uri}}) {
        auto value = environment.require(name);
        if (!value) return fail(std::move(value).error());
        *target = std::move(*value);
    }
    facts.parent_host = environment.value_or("IOTEDGE_GATEWAYHOSTNAME", "");
    facts.registries = registries_in(environment, facts.parent_host);
    facts.device_host = environment.value_or("EdgeDeviceHostName", "");
    facts.workload_listen_uri = environment.value_or("IOTEDGE_WORKLOADLISTEN_MNTURI", "");
    facts.api_version = environment.value_or("IOTEDGE_APIVERSION", daemonapi::api_version);
    facts.network_id = environment.value_or("NetworkId", "");
    facts.upstream_protocol = environment.value_or("UpstreamProtocol", "");
    facts.log_level = environment.value_or("RuntimeLogLevel", "");
    return facts;
}

const model::ManifestModule* Deployment::find(std::string_view name) const {
    if (name == agent_name) return manifest.agent ? &*manifest.agent : nullptr;
    if (name == hub_name) return manifest.hub ? &*manifest.hub : nullptr;
    const auto found = manifest.modules.find(std::string(name));
    return found == manifest.modules.end() ? nullptr : &found->second;
}

std::expected<std::shared_ptr<const Deployment>, model::ManifestError> make_deployment(const json::object& desired,
                                                                                       std::int64_t version,
                                                                                       const DeviceFacts& facts) {
    auto manifest = model::parse_manifest(desired, facts.parent_host);
    if (!manifest) return std::unexpected(std::move(manifest).error());
    auto deployment = std::make_shared<Deployment>();
    deployment->version = version;
    deployment->desired = desired;
    deployment->digest = hex_encode(crypto::sha256(json::serialize(canonical_object(desired)))).substr(0, 32);
    deployment->manifest = std::move(*manifest);
    const auto& parsed = deployment->manifest;
    if (parsed.agent) deployment->modules.push_back(desired_of(*parsed.agent, facts));
    if (parsed.hub) deployment->modules.push_back(desired_of(*parsed.hub, facts));
    for (const auto& [name, module] : parsed.modules) deployment->modules.push_back(desired_of(module, facts));
    return deployment;
}

std::string fingerprint_of(const Deployment& deployment, std::string_view module) {
    const auto found = std::ranges::find(deployment.modules, module, &DesiredModule::name);
    return found == deployment.modules.end() ? std::string() : found->fingerprint;
}

json::object env_json(const std::map<std::string, std::string>& env) {
    json::object result;
    for (const auto& [name, value] : env) result[name] = json::object{{"value", value}};
    return result;
}

std::string identity_of(std::string_view module) {
    return is_system(module) ? '$' + std::string(module) : std::string(module);
}

std::string fingerprint(const model::ManifestModule& module, const DeviceFacts& facts) {
    Env addresses;
    add_addresses(addresses, module.name, facts);
    const json::array parts{
        module.type,          module.image,       module.digest.value_or(""), canonical_object(module.create_options),
        env_json(module.env), env_json(addresses)};
    return hex_encode(crypto::sha256(json::serialize(parts))).substr(0, 32);
}

model::ModuleSpec make_spec(const model::ManifestModule& module, const model::Manifest& manifest,
                            const DeviceFacts& facts, std::string_view generation_id) {
    model::ModuleSpec spec;
    spec.name = module.name;
    spec.type = module.type;
    spec.pull_policy = module.pull_policy;
    spec.image = module.image;
    spec.digest = module.digest;
    spec.env = environment_of(module, facts, generation_id);
    spec.auth = credentials_for(module.image, manifest, facts);
    spec.create_options = module.create_options;
    set_label(spec.create_options, spec_label, fingerprint(module, facts));
    if (module.name == agent_name) {
        set_label(spec.create_options, agent_options_label, json::serialize(module.create_options));
        set_label(spec.create_options, agent_env_label, json::serialize(env_json(module.env)));
    }
    return spec;
}

void choose_image(model::ModuleSpec& spec, const std::string& id) { set_label(spec.create_options, image_label, id); }

std::optional<BroughtBack> read_brought_back(const model::ModuleStatus& agent) {
    const auto text = label(agent, brought_back_label);
    const auto read = text ? model::parse_object(*text) : Result<json::object>(fail(Errc::not_found, ""));
    if (!read) return std::nullopt;
    const auto member = [&](std::string_view name) {
        const auto* value = read->if_contains(name);
        return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
    };
    BroughtBack back{.fingerprint = member("spec"), .reason = member("reason"), .log = member("log")};
    if (back.fingerprint.empty()) return std::nullopt;
    return back;
}

std::string applied_fingerprint(const model::ModuleStatus& status, const Deployment& deployment) {
    if (auto own = label(status, spec_label)) return std::move(*own);
    if (status.name != agent_name || !deployment.manifest.agent) return {};
    const auto wanted = std::ranges::find(deployment.modules, agent_name, &DesiredModule::name);
    const bool same = wanted != deployment.modules.end() && is_bootstrap_of(status, *deployment.manifest.agent);
    return same ? wanted->fingerprint : std::string();
}

}  // namespace skerry::agent
