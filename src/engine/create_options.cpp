#include "engine/create_options.hpp"

#include "engine/json_fields.hpp"

#include <boost/json/value.hpp>

#include <algorithm>
#include <chrono>

namespace skerry::engine {

namespace {
using boost::json::value;

Result<std::uint64_t> amount(const value& json, std::string_view field) {
    if (json.is_null()) return 0;
    if (json.is_uint64()) return json.get_uint64();
    if (json.is_int64() && json.get_int64() >= 0) return static_cast<std::uint64_t>(json.get_int64());
    return fail(Errc::malformed, std::string(field) + ": must be a whole number, 0 or more");
}

// "source:target[:ro,z,…]"
Result<BindMount> parse_bind(const std::string& text) {
    const auto malformed = [&] {
        return fail(Errc::malformed, "HostConfig.Binds: '" + text + "' is not /source:/target or /source:/target:ro");
    };
    const auto first = text.find(':');
    if (first == text.npos) return malformed();
    const auto second = text.find(':', first + 1);
    BindMount bind{text.substr(0, first), text.substr(first + 1, second == text.npos ? second : second - first - 1),
                   false};
    if (!bind.source.starts_with('/') || !bind.target.starts_with('/')) return malformed();
    if (second != text.npos) {
        const auto modes = ',' + text.substr(second + 1) + ',';
        bind.read_only = modes.find(",ro,") != modes.npos;
    }
    return bind;
}

Result<> take_binds(CreateOptions& out, const value& json) {
    const auto list = string_list(json, "HostConfig.Binds");
    if (!list) return std::unexpected(list.error());
    for (const auto& text : *list) {
        auto bind = parse_bind(text);
        if (!bind) return std::unexpected(bind.error());
        if (!bind->target.starts_with(inner_socket_folder)) out.binds.push_back(std::move(*bind));
    }
    return {};
}

Result<> take_amount(std::uint64_t& out, const value& json, std::string_view field) {
    const auto found = amount(json, field);
    if (!found) return std::unexpected(found.error());
    out = *found;
    return {};
}

Result<> take_host_option(CreateOptions& out, std::string_view name, const value& json) {
    if (name == "Binds") return take_binds(out, json);
    if (name == "Memory") return take_amount(out.limits.memory_bytes, json, "HostConfig.Memory");
    if (name == "NanoCpus") return take_amount(out.limits.nano_cpus, json, "HostConfig.NanoCpus");
    if (!is_unset(json)) out.ignored.push_back("HostConfig." + std::string(name));
    return {};
}

Result<> take_host_config(CreateOptions& out, const value& json) {
    if (json.is_null()) return {};
    if (!json.is_object()) return fail(Errc::malformed, "HostConfig: must be an object");
    for (const auto& [name, option] : json.get_object())
        if (const auto taken = take_host_option(out, name, option); !taken) return taken;
    return {};
}

Result<> take_program(std::optional<std::vector<std::string>>& out, const value& json, std::string_view field) {
    auto list = string_list(json, field);
    if (!list) return std::unexpected(list.error());
    if (!list->empty()) out = std::move(*list);
    return {};
}

Result<> take_option(CreateOptions& out, std::string_view name, const value& json) {
    if (name == "Entrypoint") return take_program(out.entrypoint, json, name);
    if (name == "Cmd") return take_program(out.command, json, name);
    if (name == "HostConfig") return take_host_config(out, json);
    if (name == "Labels" || name == "Image") return {};  // kept, and no matter of the process
    if (name == "StopTimeout") return {};                // grace_of
    if (name == "Env") {
        auto environment = environment_of(json, name);
        if (!environment) return std::unexpected(environment.error());
        out.environment = std::move(*environment);
        return {};
    }
    if (name == "WorkingDir") {
        if (json.is_null()) return {};
        if (!json.is_string()) return fail(Errc::malformed, "WorkingDir: must be a string");
        out.working_folder = std::string(json.get_string());
        return {};
    }
    if (!is_unset(json)) out.ignored.emplace_back(name);
    return {};
}

constexpr std::string_view usual_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// The bundle's own program comes first, then what the module's PATH finds.
std::string program_of(const Bundle& bundle, const std::string& name, storage::Files& files) {
    if (name.starts_with('/')) return name;
    const auto inside = bundle.folder / name;
    if (name.find('/') != name.npos || files.exists(inside)) return inside.lexically_normal().native();
    return name;
}
}  // namespace

std::optional<Duration> grace_of(const boost::json::object& options) {
    constexpr Duration longest = std::chrono::hours(1);
    const auto* const timeout = options.if_contains("StopTimeout");
    if (timeout == nullptr || !timeout->is_int64()) return std::nullopt;
    const auto seconds = timeout->get_int64();
    if (seconds < 0 || seconds > std::chrono::duration_cast<std::chrono::seconds>(longest).count()) return longest;
    return std::chrono::seconds(seconds);
}

Result<CreateOptions> parse_create_options(const boost::json::object& options) {
    CreateOptions out;
    for (const auto& [name, option] : options)
        if (const auto taken = take_option(out, name, option); !taken) return std::unexpected(taken.error());
    std::ranges::sort(out.ignored);
    return out;
}

Result<Launch> make_launch(const Bundle& bundle, const std::map<std::string, std::string>& environment,
                           const CreateOptions& options, storage::Files& files) {
    Launch launch;
    launch.arguments = options.entrypoint.value_or(bundle.entrypoint);
    // As a container engine does it: another entrypoint drops the image's command.
    const auto inherited = options.entrypoint ? std::vector<std::string>() : bundle.command;
    const auto command = options.command.value_or(inherited);
    launch.arguments.insert(launch.arguments.end(), command.begin(), command.end());
    if (launch.arguments.empty() || launch.arguments.front().empty())
        return fail(Errc::malformed, bundle.folder.native() + ": neither the bundle nor createOptions name a program");
    launch.arguments.front() = program_of(bundle, launch.arguments.front(), files);

    std::map<std::string, std::string> merged{{"PATH", std::string(usual_path)}, {"HOME", "/"}};
    for (const auto* const layer : {&bundle.environment, &environment, &options.environment})
        for (const auto& [name, text] : *layer) merged[name] = text;
    for (const auto& [name, text] : merged) launch.environment.push_back(name + '=' + text);

    const auto& folder = options.working_folder.empty() ? bundle.working_folder : options.working_folder;
    launch.working_folder = (bundle.folder / folder).lexically_normal().native();
    launch.binds = options.binds;
    return launch;
}

}  // namespace skerry::engine
