#include "engine/bundle.hpp"

#include "engine/json_fields.hpp"
#include "model/twin.hpp"

#include <boost/json/object.hpp>

#include <algorithm>

namespace skerry::engine {

namespace {
bool is_safe_part(std::string_view part) {
    if (part.empty() || part == "." || part == "..") return false;
    return std::ranges::all_of(part, [](unsigned char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
               c == '-' || c == ':';
    });
}

bool is_safe_path(std::string_view path) {
    for (;;) {
        const auto slash = path.find('/');
        if (!is_safe_part(path.substr(0, slash))) return false;
        if (slash == path.npos) return true;
        path.remove_prefix(slash + 1);
    }
}
}  // namespace

Result<ImageName> parse_image_name(std::string_view image) {
    auto rest = image.substr(0, image.find('@'));
    ImageName name{std::string(rest), "latest"};
    const auto slash = rest.rfind('/');
    const auto colon = rest.rfind(':');
    // A colon before the last '/' belongs to the registry's port.
    if (colon != rest.npos && (slash == rest.npos || colon > slash)) {
        name.repository = rest.substr(0, colon);
        name.tag = rest.substr(colon + 1);
    }
    constexpr std::size_t longest = 255;
    if (name.repository.size() > longest || name.tag.size() > 128 || !is_safe_path(name.repository) ||
        !is_safe_part(name.tag) || name.tag.find(':') != name.tag.npos)
        return fail(Errc::malformed,
                    "image '" + std::string(image.substr(0, longest)) + "': not an image name (registry/path:tag)");
    return name;
}

Result<Bundle> parse_bundle(std::string_view config_json, std::filesystem::path folder) {
    const auto json = model::parse_object(config_json);
    if (!json) return std::unexpected(json.error());
    const auto* const config = json->if_contains("config");
    if (config == nullptr || !config->is_object()) return fail(Errc::malformed, "there is no object \"config\"");
    const auto field = [&](std::string_view name) {
        const auto* const found = config->get_object().if_contains(name);
        return found == nullptr ? boost::json::value() : *found;
    };

    Bundle bundle;
    bundle.folder = std::move(folder);
    auto entrypoint = string_list(field("Entrypoint"), "config.Entrypoint");
    if (!entrypoint) return std::unexpected(entrypoint.error());
    auto command = string_list(field("Cmd"), "config.Cmd");
    if (!command) return std::unexpected(command.error());
    auto environment = environment_of(field("Env"), "config.Env");
    if (!environment) return std::unexpected(environment.error());
    const auto working_folder = field("WorkingDir");
    if (!working_folder.is_null() && !working_folder.is_string())
        return fail(Errc::malformed, "config.WorkingDir: must be a string");
    bundle.entrypoint = std::move(*entrypoint);
    bundle.command = std::move(*command);
    bundle.environment = std::move(*environment);
    if (working_folder.is_string()) bundle.working_folder = std::string(working_folder.get_string());
    return bundle;
}

Result<Bundle> find_bundle(storage::Files& files, const std::filesystem::path& bundles, std::string_view image) {
    const auto name = parse_image_name(image);
    if (!name) return std::unexpected(name.error());
    const auto untagged = bundles / name->repository;
    const auto tagged = untagged / name->tag;
    for (const auto& folder : {tagged, untagged}) {
        const auto text = storage::read_file(files, folder / "config.json", 256 * 1024);
        if (!text && text.error().code == Errc::not_found) continue;
        auto bundle = text ? parse_bundle(*text, folder) : std::unexpected(text.error());
        if (!bundle) return fail(bundle.error().while_doing((folder / "config.json").native()));
        return bundle;
    }
    return fail(Errc::not_found, "no bundle for image '" + std::string(image) + "': neither " +
                                     (tagged / "config.json").native() + " nor " + (untagged / "config.json").native() +
                                     " exists");
}

}  // namespace skerry::engine
