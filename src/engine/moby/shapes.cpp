#include "engine/moby/shapes.hpp"

#include "base/clock.hpp"
#include "engine/create_options.hpp"
#include "engine/moby/fields.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace skerry::engine::moby {

namespace json = boost::json;

namespace {
constexpr std::size_t deepest = 64;
constexpr std::size_t longest_text = 1000;
constexpr std::size_t longest_probe = 200;

std::unexpected<Error> unusable(std::string_view what) {
    return fail(Errc::malformed, fmt::format("the engine's answer is not {}", what));
}

Result<json::value> parse(std::string_view body, std::string_view what) {
    json::error_code failed;
    json::parse_options options;
    options.max_depth = deepest;
    auto value = json::parse(body, failed, {}, options);
    if (failed) return unusable(what);
    return value;
}

Result<json::object> parse_an_object(std::string_view body, std::string_view what) {
    auto value = parse(body, what);
    if (!value) return std::unexpected(value.error());
    if (!value->is_object()) return unusable(what);
    return std::move(value->get_object());
}

Result<json::array> parse_an_array(std::string_view body, std::string_view what) {
    auto value = parse(body, what);
    if (!value) return std::unexpected(value.error());
    if (!value->is_array()) return unusable(what);
    return std::move(value->get_array());
}

std::string without_slash(std::string_view name) { return std::string(name.starts_with('/') ? name.substr(1) : name); }

std::string cut(std::string_view text, std::size_t most) {
    const auto first = std::min(text.find_first_not_of(" \t\r\n"), text.size());
    text.remove_prefix(first);
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
    if (text.size() <= most) return std::string(text);
    while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
    return std::string(text.substr(0, most)) + "…";
}

model::RuntimeState state_of(std::string_view status, int exit_code) {
    using enum model::RuntimeState;
    if (status == "running") return running;
    if (status == "created" || status == "configured" || status == "initialized" || status == "paused" ||
        status == "restarting")
        return stopped;
    if (status == "exited" || status == "stopped" || status == "stopping" || status == "removing")
        return exit_code == 0 ? stopped : failed;
    if (status == "dead") return dead;
    return unknown;
}

// "unhealthy: what the last probe printed"
std::string health_text(const json::object& health) {
    const auto& log = array_at(health, "Log");
    const auto* const last = log.empty() ? nullptr : log.back().if_object();
    const auto output = last == nullptr ? std::string() : cut(text_at(*last, "Output"), longest_probe);
    return output.empty() ? "unhealthy" : "unhealthy: " + output;
}

std::string describe(const json::object& state, std::string_view status, const model::ModuleStatus& module) {
    if (module.state == model::RuntimeState::running)
        return module.health == model::Health::unhealthy ? health_text(object_at(state, "Health")) : std::string();
    if (flag_at(state, "OOMKilled")) return "killed: it used more memory than its limit";
    if (auto error = cut(text_at(state, "Error"), longest_text); !error.empty()) return error;
    if (status == "created") return "created, not started";
    if (status == "paused" || status == "restarting" || status == "removing") return std::string(status);
    if (!module.exit_code || *module.exit_code == 0) return {};
    constexpr int signal_base = 128;
    if (*module.exit_code > signal_base) return fmt::format("ended by signal {}", *module.exit_code - signal_base);
    return fmt::format("ended with exit code {}", *module.exit_code);
}

void read_state(const json::object& state, model::ModuleStatus& module) {
    const auto status = text_at(state, "Status");
    const auto code = static_cast<int>(std::clamp<std::int64_t>(number_at(state, "ExitCode"), 0, 1'000'000));
    module.state = state_of(status, code);
    module.started = parse_rfc3339(text_at(state, "StartedAt"));
    if (module.state == model::RuntimeState::running) {
        // Docker says "none" of a container without a health check, Podman "".
        module.health = model::parse_health(text_at(object_at(state, "Health"), "Status"));
    } else if (auto finished = parse_rfc3339(text_at(state, "FinishedAt")); finished) {
        module.exited = finished;
        module.exit_code = code;
    }
    module.description = describe(state, status, module);
}

std::optional<std::pair<unsigned, unsigned>> api_numbers(std::string_view text) {
    unsigned major = 0;
    unsigned minor = 0;
    const auto* const end = text.data() + text.size();
    const auto [dot, bad_major] = std::from_chars(text.data(), end, major);
    if (bad_major != std::errc{} || dot == end || *dot != '.') return std::nullopt;
    const auto [last, bad_minor] = std::from_chars(dot + 1, end, minor);
    if (bad_minor != std::errc{} || last != end) return std::nullopt;
    return std::pair(major, minor);
}

}  // namespace

Errc code_of(unsigned status) {
    switch (status) {
        case 400: return Errc::malformed;
        case 401:
        case 403: return Errc::unauthorized;
        case 404: return Errc::not_found;
        case 409: return Errc::conflict;
        case 503: return Errc::unreachable;
        default: return Errc::io;
    }
}

std::string message_of(std::string_view body) {
    if (const auto object = parse_an_object(body, "an object")) {
        for (const auto* const name : {"message", "cause"})
            if (auto text = text_at(*object, name); !text.empty()) return cut(text, longest_text);
    }
    return cut(body, longest_text);
}

Result<Container> parse_container(std::string_view body) {
    const auto object = parse_an_object(body, "a container");
    if (!object) return std::unexpected(object.error());
    Container container;
    container.id = text_at(*object, "Id");
    const auto& state = object_at(*object, "State");
    if (container.id.empty() || state.empty()) return unusable("a container: it lacks Id or State");
    const auto& config = object_at(*object, "Config");
    const auto& labels = object_at(config, "Labels");
    container.tty = flag_at(config, "Tty");
    container.paused = flag_at(state, "Paused");
    // Podman says 0 of a container that was given none.
    if (const auto grace = grace_of(config); grace > Duration::zero()) container.grace = grace;
    const auto& log = object_at(object_at(*object, "HostConfig"), "LogConfig");
    container.log_driver = text_at(log, "Type");
    container.log_bounded = object_at(log, "Config").contains("max-size");
    auto& status = container.status;
    status.name = without_slash(text_at(*object, "Name"));
    status.image = text_at(labels, image_label);
    if (status.image.empty()) status.image = text_at(config, "Image");
    status.image_hash = text_at(*object, "Image");
    status.create_options = json::object{{"Labels", labels}};
    read_state(state, status);
    if (const auto refused = cut(text_at(labels, refused_label), longest_text); !refused.empty())
        status.description += fmt::format("{}refused: {}", status.description.empty() ? "" : "; ", refused);
    return container;
}

Result<Created> parse_created(std::string_view body) {
    const auto object = parse_an_object(body, "a new container");
    if (!object) return std::unexpected(object.error());
    Created created{text_at(*object, "Id"), texts_at(*object, "Warnings")};
    if (created.id.empty()) return unusable("a new container: it lacks Id");
    return created;
}

namespace {
// " (healthy)" of "Up 5 minutes (healthy)", " (3)" of "Exited (3) 2 hours ago": what does not change by itself.
std::string in_parentheses(std::string_view status) {
    const auto begin = status.find('(');
    const auto end = status.find(')', std::min(begin, status.size()));
    if (begin == status.npos || end == status.npos) return {};
    return ' ' + std::string(status.substr(begin, end + 1 - begin));
}
}  // namespace

Result<std::vector<ListedContainer>> parse_containers(std::string_view body) {
    const auto list = parse_an_array(body, "a list of containers");
    if (!list) return std::unexpected(list.error());
    std::vector<ListedContainer> containers;
    for (const auto& entry : *list) {
        const auto* const object = entry.if_object();
        if (object == nullptr) return unusable("a list of containers");
        const auto names = texts_at(*object, "Names");
        // A linked container has more names, with the other one's in front: "/other/alias".
        const auto own = std::ranges::find_if(names, [](const std::string& name) { return name.rfind('/') == 0; });
        ListedContainer container{text_at(*object, "Id"), {}, text_at(*object, "State")};
        container.look += in_parentheses(text_at(*object, "Status"));
        if (own != names.end()) container.name = without_slash(*own);
        if (container.name.empty() && !names.empty()) container.name = without_slash(names.front());
        if (container.id.empty() || container.name.empty()) return unusable("a list of containers with Id and Names");
        containers.push_back(std::move(container));
    }
    return containers;
}

namespace {
// Untagged ones are listed with the name "<none>:<none>", and the digest "<none>@<none>".
std::vector<std::string> names_at(const json::object& image, std::string_view member) {
    auto names = texts_at(image, member);
    std::erase_if(names, [](const std::string& name) { return name.starts_with("<none>"); });
    return names;
}

Image image_of(const json::object& image) {
    return {text_at(image, "Id"), names_at(image, "RepoTags"), names_at(image, "RepoDigests")};
}
}  // namespace

Result<Image> parse_image(std::string_view body) {
    const auto object = parse_an_object(body, "an image");
    if (!object) return std::unexpected(object.error());
    auto image = image_of(*object);
    if (image.id.empty()) return unusable("an image: it lacks Id");
    return image;
}

Result<std::vector<Image>> parse_images(std::string_view body) {
    const auto list = parse_an_array(body, "a list of images");
    if (!list) return std::unexpected(list.error());
    std::vector<Image> images;
    for (const auto& entry : *list) {
        images.push_back(entry.is_object() ? image_of(entry.get_object()) : Image{});
        if (images.back().id.empty()) return unusable("a list of images with Id");
    }
    return images;
}

Result<std::vector<std::string>> parse_images_in_use(std::string_view body) {
    const auto list = parse_an_array(body, "a list of containers");
    if (!list) return std::unexpected(list.error());
    std::vector<std::string> ids;
    for (const auto& entry : *list) {
        ids.push_back(entry.is_object() ? text_at(entry.get_object(), "ImageID") : std::string());
        if (ids.back().empty()) return unusable("a list of containers with ImageID");
    }
    return ids;
}

Result<EngineInfo> parse_info(std::string_view body) {
    const auto object = parse_an_object(body, "what an engine says of itself");
    if (!object) return std::unexpected(object.error());
    EngineInfo info;
    info.log_driver = text_at(*object, "LoggingDriver");
    const auto& registries = object_at(*object, "RegistryConfig");
    info.insecure_ranges = texts_at(registries, "InsecureRegistryCIDRs");
    for (const auto& [name, settings] : object_at(registries, "IndexConfigs")) {
        const auto* const secure = settings.is_object() ? settings.get_object().if_contains("Secure") : nullptr;
        if (secure != nullptr && secure->is_bool() && !secure->get_bool()) info.insecure_registries.emplace_back(name);
    }
    return info;
}

ContainerEvent parse_event(const json::object& line) {
    const auto& actor = object_at(line, "Actor");
    ContainerEvent event{text_at(line, "Action"), text_at(actor, "ID"),
                         text_at(object_at(actor, "Attributes"), "name")};
    if (event.action.empty()) event.action = text_at(line, "status");
    if (event.id.empty()) event.id = text_at(line, "id");
    return event;
}

Result<bool> has_network(std::string_view body, std::string_view name) {
    const auto list = parse_an_array(body, "a list of networks");
    if (!list) return std::unexpected(list.error());
    return std::ranges::any_of(*list, [&](const json::value& entry) {
        const auto* const object = entry.if_object();
        return object != nullptr && (text_at(*object, "Name") == name || text_at(*object, "name") == name);
    });
}

Result<std::vector<std::string>> network_ids(std::string_view body) {
    const auto list = parse_an_array(body, "a list of networks");
    if (!list) return std::unexpected(list.error());
    std::vector<std::string> ids;
    for (const auto& entry : *list) {
        const auto* const object = entry.if_object();
        if (object == nullptr) continue;
        auto id = text_at(*object, "Id");
        if (id.empty()) id = text_at(*object, "id");
        if (!id.empty()) ids.push_back(std::move(id));
    }
    return ids;
}

Result<Version> parse_version(std::string_view body) {
    const auto object = parse_an_object(body, "a version");
    if (!object) return std::unexpected(object.error());
    Version version{text_at(*object, "Version"), text_at(*object, "ApiVersion"), text_at(*object, "MinAPIVersion")};
    if (!api_numbers(version.api)) return unusable("a version: it lacks ApiVersion");
    return version;
}

std::string api_to_speak(const Version& version) {
    constexpr std::pair<unsigned, unsigned> ours{1, 41};
    const auto newest = api_numbers(version.api);
    const auto oldest = api_numbers(version.oldest_api);
    if (newest && *newest < ours) return version.api;
    if (oldest && *oldest > ours) return version.oldest_api;
    return "1.41";
}

}  // namespace skerry::engine::moby
