#include "agent/report.hpp"

#include "model/manifest.hpp"

#include <boost/json/value.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace skerry::agent {

namespace json = boost::json;

namespace {

constexpr std::size_t longest_description = 1024;
constexpr std::size_t longest_status = 2048;
constexpr std::string_view never = "0001-01-01T00:00:00Z";  // what the existing agent writes for "not yet"

std::string time_text(const std::optional<WallTime>& time) {
    return time ? format_rfc3339(*time, 7) : std::string(never);
}

std::string text_member(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

class Reporter {
public:
    explicit Reporter(const ReportInput& input) : input_(input) {
        for (const auto& status : input.observed) observed_.emplace(status.name, &status);
    }

    json::object document() const {
        json::object result{
            {"schemaVersion", "1.0"},
            {"version", version()},
            {"lastDesiredVersion", input_.last_desired_version},
            {"lastDesiredStatus", json::object{{"code", input_.status.code},
                                               {"description", shortened(input_.status.description, longest_status)}}},
            {"runtime", runtime()},
            {"systemModules",
             json::object{{"edgeAgent", system_module(agent_name)}, {"edgeHub", system_module(hub_name)}}},
            {"modules", modules()}};
        if (!input_.rollback.empty()) result["rollback"] = input_.rollback;
        return result;
    }

private:
    json::object version() const {
        auto version = std::string(input_.agent_version);
        if (version.empty()) version = text_member(input_.system_info, "version");
        return {{"version", version}, {"build", ""}, {"commit", ""}};
    }

    json::object runtime() const {
        json::object platform{{"os", text_member(input_.system_info, "osType")},
                              {"architecture", text_member(input_.system_info, "architecture")},
                              {"version", text_member(input_.system_info, "version")}};
        if (input_.deployment == nullptr) return {{"type", "Unknown"}, {"platform", std::move(platform)}};
        const auto& manifest = input_.deployment->manifest;
        json::object settings{{"minDockerVersion", manifest.min_docker_version},
                              {"loggingOptions", manifest.logging_options}};
        json::object credentials;
        for (const auto& [name, credential] : manifest.registry_credentials)
            credentials[name] =
                json::object{{"address", credential.address}, {"username", credential.username}, {"password", "****"}};
        if (!credentials.empty()) settings["registryCredentials"] = std::move(credentials);
        return {{"type", manifest.runtime_type}, {"settings", std::move(settings)}, {"platform", std::move(platform)}};
    }

    const model::ManifestModule* wanted(std::string_view name) const {
        return input_.deployment == nullptr ? nullptr : input_.deployment->find(name);
    }
    const model::ModuleStatus* observed(std::string_view name) const {
        const auto found = observed_.find(name);
        return found == observed_.end() ? nullptr : found->second;
    }

    json::object system_module(std::string_view name) const {
        if (wanted(name) == nullptr && observed(name) == nullptr) return {{"type", "Unknown"}};
        return module(name);
    }

    json::object modules() const {
        std::vector<std::string_view> names;
        for (const auto& [name, status] : observed_) names.push_back(name);
        if (input_.deployment != nullptr)
            for (const auto& [name, module] : input_.deployment->manifest.modules) names.push_back(name);
        std::ranges::sort(names);
        json::object result;
        for (const auto name : names)
            if (name != agent_name && name != hub_name && !result.contains(name)) result[name] = module(name);
        return result;
    }

    json::object module(std::string_view name) const {
        json::object result;
        add_observed(result, name);
        if (name != agent_name) add_restarts(result, name);
        if (const auto* manifest = wanted(name))
            add_wanted(result, *manifest);
        else
            add_unwanted(result, name);
        return result;
    }

    void add_observed(json::object& result, std::string_view name) const {
        const auto* status = observed(name);
        const std::string key(name);
        const auto planned = input_.runtime_status.find(key);
        std::string runtime_status = "unknown";
        if (planned != input_.runtime_status.end())
            runtime_status = planned->second;
        else if (status != nullptr)
            runtime_status = model::name_of(status->state);
        result["runtimeStatus"] = runtime_status;
        result["exitCode"] = status != nullptr ? status->exit_code.value_or(0) : 0;
        result["lastStartTimeUtc"] = time_text(status != nullptr ? status->started : std::nullopt);
        result["lastExitTimeUtc"] = time_text(status != nullptr ? status->exited : std::nullopt);
        const auto trouble = input_.trouble.find(key);
        std::string description = trouble != input_.trouble.end() ? trouble->second : std::string();
        if (description.empty() && status != nullptr) description = status->description;
        if (!description.empty()) result["statusDescription"] = shortened(description, longest_description);
    }

    void add_restarts(json::object& result, std::string_view name) const {
        const auto& record = input_.history.record(std::string(name));
        const auto* status = observed(name);
        result["restartCount"] = record.restarts;
        result["lastRestartTimeUtc"] =
            time_text(record.last_restart || status == nullptr ? record.last_restart : status->exited);
    }

    void add_wanted(json::object& result, const model::ManifestModule& module) const {
        result["type"] = module.type;
        if (module.name != agent_name) {
            result["status"] = model::name_of(module.status);
            result["restartPolicy"] = model::name_of(module.restart_policy);
        }
        if (module.name != agent_name && module.name != hub_name) result["version"] = module.version;
        result["imagePullPolicy"] = model::name_of(module.pull_policy);
        if (module.name == agent_name)
            result["startupOrder"] = 0;
        else if (module.startup_order != model::last_startup_order)
            result["startupOrder"] = module.startup_order;
        result["settings"] = settings(module.name, module.image, module.create_options);
        if (!input_.compact) result["env"] = env_json(module.env);
    }

    // There, but not (any more) in the manifest.
    void add_unwanted(json::object& result, std::string_view name) const {
        const auto* status = observed(name);
        result["type"] = status->type;
        if (name != agent_name) {
            result["status"] = "unknown";
            result["restartPolicy"] = "unknown";
        }
        result["settings"] = settings(name, status->image, {});
        result["env"] = json::object();
    }

    json::object settings(std::string_view name, const std::string& image, const json::object& options) const {
        json::object result{{"image", image}};
        const auto* status = observed(name);
        if (status != nullptr && !status->image_hash.empty()) result["imageHash"] = status->image_hash;
        if (!input_.compact) model::write_create_options(options, result);
        return result;
    }

    const ReportInput& input_;
    std::map<std::string_view, const model::ModuleStatus*> observed_;
};

json::object unknown_runtime(const json::object& modules) {
    json::object result;
    for (const auto& [name, module] : modules)
        if (module.is_object() && module.as_object().contains("runtimeStatus"))
            result[name] = json::object{{"runtimeStatus", "unknown"}};
    return result;
}

}  // namespace

json::object build_report(const ReportInput& input) { return Reporter(input).document(); }

json::object farewell(const json::object& reported) {
    json::object patch{{"lastDesiredStatus", json::object{{"code", 406}, {"description", "Agent is not running"}}}};
    for (const auto* group : {"systemModules", "modules"}) {
        const auto* modules = reported.if_contains(group);
        if (modules == nullptr || !modules->is_object()) continue;
        if (auto states = unknown_runtime(modules->as_object()); !states.empty()) patch[group] = std::move(states);
    }
    return patch;
}

std::string shortened(std::string_view text, std::size_t bytes) {
    if (text.size() <= bytes) return std::string(text);
    auto end = bytes;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    return std::string(text.substr(0, end));
}

}  // namespace skerry::agent
