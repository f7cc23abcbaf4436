#include "engine/moby/container_body.hpp"

#include "base/encoding.hpp"
#include "engine/json_fields.hpp"
#include "engine/launch.hpp"
#include "engine/moby/fields.hpp"
#include "engine/moby/shapes.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <set>
#include <utility>

namespace skerry::engine::moby {

namespace json = boost::json;

namespace {
std::unexpected<Error> wrong(std::string_view option, std::string_view rule) {
    return fail(Errc::malformed, std::string(option) + ": must be " + std::string(rule));
}

// A target inside a container, as far as it can be told by its text: "/run/x/" is "/var/run/x" on most systems, too.
std::string target_of(std::string_view path) {
    std::string target(path);
    while (target.size() > 1 && target.back() == '/') target.pop_back();
    return target.starts_with("/run/") ? "/var" + target : target;
}

bool is_ours(std::string_view target, std::string_view inner) {
    const auto path = target_of(target);
    return path == inner || path.starts_with(std::string(inner) + '/');
}

// "source:target[:mode]"
std::string_view bind_target(std::string_view bind) {
    const auto first = bind.find(':');
    if (first == bind.npos) return bind;
    bind.remove_prefix(first + 1);
    return bind.substr(0, bind.find(':'));
}

std::string_view mount_target(json::value& mount) {
    if (!mount.is_object()) return {};
    auto* const target = find_member(mount.get_object(), "Target");
    return target != nullptr && target->is_string() ? std::string_view(target->get_string()) : std::string_view();
}

// createOptions' variables win over the deployment's; sorted by name. To the engine a name alone means that the image's
// variable of that name is taken away.
Result<> merge_environment(json::object& body, const std::map<std::string, std::string>& environment) {
    auto merged = environment;
    std::vector<std::string> taken_away;
    if (auto* const own = find_member(body, "Env")) {
        auto variables = environment_of(*own, "Env");
        if (!variables) return std::unexpected(variables.error());
        for (auto& [name, value] : *variables) merged[name] = std::move(value);
        for (auto& entry : string_list(*own, "Env").value_or(std::vector<std::string>{}))
            if (entry.find('=') == entry.npos && merged.erase(entry) > 0) taken_away.push_back(std::move(entry));
    }
    // Whatever its case was: one member must remain.
    for (auto entry = body.begin(); entry != body.end();)
        entry = equals_ignoring_case(std::string_view(entry->key()), "Env") ? body.erase(entry) : entry + 1;
    json::array list;
    for (const auto& [name, value] : merged) list.emplace_back(name + '=' + value);
    for (const auto& name : taken_away) list.emplace_back(name);
    body["Env"] = std::move(list);
    return {};
}

Result<> add_labels(json::object& body, const std::string& image) {
    auto* const labels = open_member(body, "Labels");
    if (labels == nullptr) return wrong("Labels", "an object");
    (*labels)[owner_label] = owner_value;
    (*labels)[image_label] = image;
    return {};
}

// Takes out what would lie on our folders: the existing agent binds single sockets there.
Result<> add_binds(json::object& host, const Surroundings& surroundings) {
    auto* binds = find_member(host, "Binds");
    if (binds == nullptr) binds = &host["Binds"];
    if (binds->is_null()) *binds = json::array();
    if (!binds->is_array()) return wrong("HostConfig.Binds", "a list of texts");
    auto& list = binds->get_array();
    auto* const mounts = find_member(host, "Mounts");
    auto* const mount_list = mounts == nullptr ? nullptr : mounts->if_array();
    if (!std::ranges::all_of(list, &json::value::is_string)) return wrong("HostConfig.Binds", "a list of texts");
    const auto takes = [](const json::value& bind, std::string_view inner) {
        return is_ours(bind_target(bind.get_string()), inner);
    };
    if (!surroundings.socket_folder.empty()) {
        json::array kept;
        for (auto& bind : list)
            if (!takes(bind, inner_socket_folder)) kept.push_back(std::move(bind));
        list = std::move(kept);
        if (mount_list != nullptr)
            for (auto entry = mount_list->begin(); entry != mount_list->end();)
                entry = is_ours(mount_target(*entry), inner_socket_folder) ? mount_list->erase(entry) : entry + 1;
        list.emplace_back(surroundings.socket_folder + ':' + std::string(inner_socket_folder));
    }
    if (surroundings.storage.empty()) return {};
    const bool taken = std::ranges::any_of(list, [&](const json::value& bind) { return takes(bind, inner_storage); }) ||
                       (mount_list != nullptr && std::ranges::any_of(*mount_list, [](json::value& mount) {
                            return is_ours(mount_target(mount), inner_storage);
                        }));
    if (!taken) list.emplace_back(surroundings.storage + ':' + std::string(inner_storage));
    return {};
}

Result<> join_network(json::object& body, json::object& host, const Surroundings& surroundings) {
    if (surroundings.network.empty()) return {};
    auto* const mode = find_member(host, "NetworkMode");
    const auto chosen = mode != nullptr && mode->is_string() ? std::string_view(mode->get_string()) : "";
    if (!chosen.empty() && chosen != "default" && chosen != surroundings.network) return {};
    auto* const networking = open_member(body, "NetworkingConfig");
    if (networking == nullptr) return wrong("NetworkingConfig", "an object");
    auto* const endpoints = find_member(*networking, "EndpointsConfig");
    if (endpoints != nullptr && !endpoints->is_null()) {
        if (!endpoints->is_object()) return wrong("NetworkingConfig.EndpointsConfig", "an object");
        if (!endpoints->get_object().empty()) return {};
    }
    json::object endpoint;
    if (!surroundings.aliases.empty())
        endpoint["Aliases"] = json::array(surroundings.aliases.begin(), surroundings.aliases.end());
    (endpoints == nullptr ? (*networking)["EndpointsConfig"] : *endpoints) =
        json::object{{surroundings.network, std::move(endpoint)}};
    if (chosen.empty()) {
        if (mode != nullptr)
            *mode = surroundings.network;
        else
            host["NetworkMode"] = surroundings.network;
    }
    return {};
}

// The agent restarts modules; an engine that did it, too, would work against it.
void drop_restart_policy(json::object& host, std::vector<std::string>& warnings) {
    auto* const policy = find_member(host, "RestartPolicy");
    if (policy == nullptr) return;
    auto* const name = policy->is_object() ? find_member(policy->get_object(), "Name") : nullptr;
    const auto chosen = name != nullptr && name->is_string() ? std::string_view(name->get_string()) : "";
    if (!chosen.empty() && chosen != "no")
        warnings.push_back("HostConfig.RestartPolicy '" + std::string(chosen.substr(0, 30)) +
                           "' is left out: the deployment's restartPolicy counts");
    // Whatever its case was.
    for (auto entry = host.begin(); entry != host.end();)
        entry = equals_ignoring_case(std::string_view(entry->key()), "RestartPolicy") ? host.erase(entry) : entry + 1;
}

Result<> bound_log(json::object& host, const Surroundings& surroundings, ContainerBody& out) {
    if (auto* const own = find_member(host, "LogConfig"); own != nullptr && !own->is_null()) {
        if (!own->is_object()) return wrong("HostConfig.LogConfig", "an object");
        for (const auto* const name : {"Type", "Config"})
            if (const auto* const chosen = find_member(own->get_object(), name); chosen != nullptr)
                out.chooses_log = out.chooses_log || !is_unset(*chosen);
    }
    if (out.chooses_log || !surroundings.limits) return {};
    auto& log = *open_member(host, "LogConfig");
    log = {
        {"Type", "json-file"},
        {"Config",
         {{"max-size", surroundings.limits->max_size}, {"max-file", std::to_string(surroundings.limits->max_files)}}}};
    return {};
}

// The engine takes the last of several, and compares names as Unicode does: what it would find must be what we found.
Result<> check_names(const json::object& object, std::string_view where) {
    std::set<std::string> seen;
    for (const auto& [key, value] : object) {
        const std::string_view name(key.data(), key.size());
        const auto shown = std::string(where) + std::string(name.substr(0, 60));
        if (std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
            return wrong(shown, "named with ASCII characters");
        if (!seen.insert(to_lower(name)).second) return wrong(shown, "there once, not twice in different cases");
    }
    return {};
}

// allow_elevated_docker_permissions = false. `refused`: the options that had to go.
Result<> drop_privileges(json::object& host, std::vector<std::string>& refused) {
    if (auto* const privileged = find_member(host, "Privileged"); privileged != nullptr && !is_unset(*privileged)) {
        *privileged = false;
        refused.emplace_back("HostConfig.Privileged");
    }
    if (auto* const added = find_member(host, "CapAdd"); added != nullptr && !is_unset(*added)) {
        *added = json::array();
        refused.emplace_back("HostConfig.CapAdd");
    }
    json::array dropped{"CHOWN", "SETUID"};
    auto* const own = find_member(host, "CapDrop");
    if (own != nullptr && !own->is_null()) {
        const auto names = string_list(*own, "HostConfig.CapDrop");
        if (!names) return std::unexpected(names.error());
        for (const auto& name : *names) dropped.emplace_back(name);
    }
    (own == nullptr ? host["CapDrop"] : *own) = std::move(dropped);
    return {};
}

// On the container, for whoever asks for its state, and in the log.
void note_refused(ContainerBody& out, const std::vector<std::string>& refused) {
    if (refused.empty()) return;
    std::string text;
    for (const auto& option : refused) {
        text += (text.empty() ? "" : ", ") + option;
        out.warnings.push_back(option + " is refused (allow_elevated_docker_permissions = false)");
    }
    if (auto* const labels = open_member(out.json, "Labels")) (*labels)[refused_label] = text;
}
}  // namespace

Result<ContainerBody> make_container_body(const model::ModuleSpec& spec, const Surroundings& surroundings) {
    ContainerBody out;
    auto& body = out.json;
    body = spec.create_options;
    if (auto fits = check_names(body, ""); !fits) return std::unexpected(fits.error());
    if (auto merged = merge_environment(body, spec.env); !merged) return std::unexpected(merged.error());
    auto* const image = find_member(body, "Image");
    (image == nullptr ? body["Image"] : *image) =
        surroundings.image.empty() ? with_tag(spec.image) : surroundings.image;
    if (auto added = add_labels(body, spec.image); !added) return std::unexpected(added.error());
    // Room for both first: `host` must stay where it is while the other is made.
    if (open_member(body, "NetworkingConfig") == nullptr) return wrong("NetworkingConfig", "an object");
    auto* const host = open_member(body, "HostConfig");
    if (host == nullptr) return wrong("HostConfig", "an object");
    if (auto fits = check_names(*host, "HostConfig."); !fits) return std::unexpected(fits.error());
    drop_restart_policy(*host, out.warnings);
    if (auto bounded = bound_log(*host, surroundings, out); !bounded) return std::unexpected(bounded.error());
    if (auto added = add_binds(*host, surroundings); !added) return std::unexpected(added.error());
    std::vector<std::string> refused;
    if (!surroundings.may_be_elevated)
        if (auto dropped = drop_privileges(*host, refused); !dropped) return std::unexpected(dropped.error());
    if (auto joined = join_network(body, *host, surroundings); !joined) return std::unexpected(joined.error());
    note_refused(out, refused);
    return out;
}

std::string with_tag(std::string_view image) {
    const auto slash = image.rfind('/');
    const auto last = image.substr(slash == image.npos ? 0 : slash + 1);
    return last.find(':') == last.npos && last.find('@') == last.npos ? std::string(image) + ":latest"
                                                                      : std::string(image);
}

Result<> check_container_name(std::string_view name) {
    const auto is_alphanumeric = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    const bool fits = name.size() >= 2 && is_alphanumeric(name.front()) && std::ranges::all_of(name, [&](char c) {
                          return is_alphanumeric(c) || c == '_' || c == '.' || c == '-';
                      });
    if (fits) return {};
    return fail(Errc::malformed, "module '" + std::string(name) +
                                     "': a container's name has 2 or more letters, digits, '_', '.' or '-', and begins "
                                     "with a letter or a digit; choose another name for the module");
}

}  // namespace skerry::engine::moby
