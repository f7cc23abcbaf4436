#include "daemonapi/shapes.hpp"

#include "base/encoding.hpp"
#include "model/identity.hpp"

#include <fmt/core.h>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <charconv>
#include <utility>

namespace skerry::daemonapi {

namespace json = boost::json;

namespace {
constexpr std::size_t most_variables = 1000;

std::unexpected<Error> wrong(std::string_view member, std::string_view rule) {
    return fail(Errc::malformed, fmt::format("'{}' must be {}", member, rule));
}

std::string text_of(const json::string& text) { return {text.data(), text.size()}; }

// A member that must be there and be text.
Result<std::string> required_text(const json::object& object, std::string_view name) {
    const auto* member = object.if_contains(name);
    if (member == nullptr || !member->is_string()) return wrong(name, "a text");
    return text_of(member->get_string());
}

// Text, null or absent.
Result<std::optional<std::string>> optional_text(const json::object& object, std::string_view name) {
    const auto* member = object.if_contains(name);
    if (member == nullptr || member->is_null()) return std::nullopt;
    if (!member->is_string()) return wrong(name, "a text");
    return text_of(member->get_string());
}

// An object; absent and null give an empty one.
Result<json::object> optional_object(const json::object& object, std::string_view name) {
    const auto* member = object.if_contains(name);
    if (member == nullptr || member->is_null()) return json::object{};
    if (!member->is_object()) return wrong(name, "an object");
    return member->get_object();
}

Result<json::object> required_object(const json::object& object, std::string_view name) {
    const auto* member = object.if_contains(name);
    if (member == nullptr || !member->is_object()) return wrong(name, "an object");
    return member->get_object();
}

Result<std::string> module_name(const json::object& object) {
    auto name = required_text(object, "name");
    if (name && !model::is_valid_id(*name))
        return wrong("name", "1 to 128 letters, digits or - : . + % _ # * ? ! ( ) , = @ $ '");
    return name;
}

Result<model::PullPolicy> pull_policy(const json::object& object) {
    const auto text = optional_text(object, "imagePullPolicy");
    if (!text) return fail(text.error());
    if (!*text || equals_ignoring_case(**text, "on-create")) return model::PullPolicy::on_create;
    if (equals_ignoring_case(**text, "never")) return model::PullPolicy::never;
    return wrong("imagePullPolicy", "'On-Create' or 'Never'");
}

Result<std::map<std::string, std::string>> environment(const json::object& config) {
    std::map<std::string, std::string> variables;
    const auto* member = config.if_contains("env");
    if (member == nullptr || member->is_null()) return variables;
    if (!member->is_array()) return wrong("config.env", "an array");
    if (member->get_array().size() > most_variables)
        return wrong("config.env", fmt::format("an array of at most {} variables", most_variables));
    for (const auto& entry : member->get_array()) {
        if (!entry.is_object()) return wrong("config.env", "an array of objects with 'key' and 'value'");
        auto key = required_text(entry.get_object(), "key");
        auto value = required_text(entry.get_object(), "value");
        if (!key || !value) return wrong("config.env", "an array of objects with 'key' and 'value'");
        if (key->empty() || key->find('=') != std::string::npos || key->find('\0') != std::string::npos ||
            value->find('\0') != std::string::npos)
            return wrong("config.env", "made of names without '=' and values without NUL");
        if (!variables.try_emplace(*key, std::move(*value)).second)
            return fail(Errc::malformed, fmt::format("duplicate env var key: {}", *key));
    }
    return variables;
}

Result<> read_settings(const json::object& config, model::ModuleSpec& spec) {
    const auto settings = required_object(config, "settings");
    if (!settings) return wrong("config.settings", "an object");
    auto image = required_text(*settings, "image");
    if (!image || image->empty()) return wrong("config.settings.image", "a text that is not empty");
    auto create_options = optional_object(*settings, "createOptions");
    if (!create_options) return wrong("config.settings.createOptions", "an object");
    auto digest = optional_text(*settings, "digest");
    if (!digest) return wrong("config.settings.digest", "a text");
    auto auth = optional_object(*settings, "auth");
    if (!auth) return wrong("config.settings.auth", "an object");
    spec.image = std::move(*image);
    spec.create_options = std::move(*create_options);
    spec.digest = std::move(*digest);
    spec.auth = std::move(*auth);
    return {};
}

// Docker writes year 1 for "never"; that, and any time we can't hold, is an absent time.
std::optional<WallTime> time_of(const json::object& object, std::string_view name) {
    const auto text = optional_text(object, name);
    if (!text || !*text) return std::nullopt;
    return parse_rfc3339(**text);
}

// The daemon writes the exit code as text; some writers use a number.
std::optional<int> exit_code_of(const json::object& exit) {
    const auto* member = exit.if_contains("statusCode");
    if (member == nullptr) return std::nullopt;
    if (member->is_int64()) return static_cast<int>(member->get_int64());
    if (!member->is_string()) return std::nullopt;
    const auto& text = member->get_string();
    int code = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), code);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
    return code;
}

Result<> read_run(const json::object& run, model::ModuleStatus& status) {
    const auto runtime = required_object(run, "runtimeStatus");
    if (!runtime) return wrong("status.runtimeStatus", "an object");
    const auto state = required_text(*runtime, "status");
    if (!state) return wrong("status.runtimeStatus.status", "a text");
    auto description = optional_text(*runtime, "description");
    if (!description) return wrong("status.runtimeStatus.description", "a text");
    status.state = model::parse_runtime_state(*state);
    status.description = description->value_or("");
    const auto health = optional_text(*runtime, "health");
    if (!health) return wrong("status.runtimeStatus.health", "a text");
    status.health = model::parse_health(health->value_or(""));
    status.started = time_of(run, "startTime");
    const auto exit = optional_object(run, "exitStatus");
    if (!exit) return wrong("status.exitStatus", "an object");
    status.exited = time_of(*exit, "exitTime");
    status.exit_code = exit_code_of(*exit);
    return {};
}
}  // namespace

json::object to_json(const model::ModuleSpec& spec) {
    json::object settings{{"image", spec.image}, {"createOptions", spec.create_options}};
    if (spec.digest) settings["digest"] = *spec.digest;
    if (!spec.auth.empty()) settings["auth"] = spec.auth;
    json::array env;
    for (const auto& [key, value] : spec.env) env.push_back(json::object{{"key", key}, {"value", value}});
    return {{"name", spec.name},
            {"type", spec.type},
            {"imagePullPolicy", spec.pull_policy == model::PullPolicy::never ? "Never" : "On-Create"},
            {"config", json::object{{"settings", std::move(settings)}, {"env", std::move(env)}}}};
}

Result<model::ModuleSpec> parse_module_spec(const json::object& json) {
    model::ModuleSpec spec;
    auto name = module_name(json);
    if (!name) return fail(name.error());
    auto type = required_text(json, "type");
    if (!type) return fail(type.error());
    const auto policy = pull_policy(json);
    if (!policy) return fail(policy.error());
    const auto config = required_object(json, "config");
    if (!config) return fail(config.error());
    auto env = environment(*config);
    if (!env) return fail(env.error());
    spec.name = std::move(*name);
    spec.type = std::move(*type);
    spec.pull_policy = *policy;
    spec.env = std::move(*env);
    if (const auto read = read_settings(*config, spec); !read) return fail(read.error());
    return spec;
}

json::object to_json(const model::ModuleStatus& status) {
    json::object runtime{{"status", model::name_of(status.state)}};
    if (!status.description.empty()) runtime["description"] = status.description;
    if (status.health != model::Health::none) runtime["health"] = model::name_of(status.health);
    json::object run{{"runtimeStatus", std::move(runtime)}};
    if (status.started) run["startTime"] = format_rfc3339(*status.started, 7);
    if (status.exited || status.exit_code) {
        json::object exit;
        if (status.exited) exit["exitTime"] = format_rfc3339(*status.exited, 7);
        if (status.exit_code) exit["statusCode"] = std::to_string(*status.exit_code);
        run["exitStatus"] = std::move(exit);
    }
    return {{"id", "id"},
            {"name", status.name},
            {"type", status.type},
            {"config", json::object{{"settings", json::object{{"image", status.image},
                                                              {"imageHash", status.image_hash},
                                                              {"createOptions", status.create_options}}},
                                    {"env", json::array{}}}},
            {"status", std::move(run)}};
}

Result<model::ModuleStatus> parse_module_status(const json::object& json) {
    model::ModuleStatus status;
    auto name = module_name(json);
    if (!name) return fail(name.error());
    auto type = required_text(json, "type");
    if (!type) return fail(type.error());
    const auto config = required_object(json, "config");
    if (!config) return fail(config.error());
    const auto settings = required_object(*config, "settings");
    if (!settings) return wrong("config.settings", "an object");
    auto image = required_text(*settings, "image");
    if (!image) return wrong("config.settings.image", "a text");
    auto hash = optional_text(*settings, "imageHash");
    if (!hash) return wrong("config.settings.imageHash", "a text");
    auto create_options = optional_object(*settings, "createOptions");
    if (!create_options) return wrong("config.settings.createOptions", "an object");
    const auto run = required_object(json, "status");
    if (!run) return fail(run.error());
    status.name = std::move(*name);
    status.type = std::move(*type);
    status.image = std::move(*image);
    status.image_hash = hash->value_or("");
    status.create_options = std::move(*create_options);
    if (const auto read = read_run(*run, status); !read) return fail(read.error());
    return status;
}

json::object to_json(const IdentityEntry& entry) {
    return {{"moduleId", entry.module_id},
            {"managedBy", entry.managed_by},
            {"generationId", entry.generation_id},
            {"authType", entry.auth_type}};
}

Result<IdentityEntry> parse_identity_entry(const json::object& json) {
    auto id = required_text(json, "moduleId");
    if (!id) return fail(id.error());
    if (!model::is_valid_id(*id)) return wrong("moduleId", "a valid module id");
    auto managed_by = optional_text(json, "managedBy");
    if (!managed_by) return fail(managed_by.error());
    auto generation = optional_text(json, "generationId");
    if (!generation) return fail(generation.error());
    auto auth_type = optional_text(json, "authType");
    if (!auth_type) return fail(auth_type.error());
    return IdentityEntry{.module_id = std::move(*id),
                         .managed_by = managed_by->value_or(""),
                         .generation_id = generation->value_or(""),
                         .auth_type = auth_type->value_or("sas")};
}

}  // namespace skerry::daemonapi
