// From an image's name to what to run: a folder on this disk with an OCI image configuration (docs/formats/bundle.md).
#pragma once

#include "base/result.hpp"
#include "storage/files.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::engine {

// "mcr.microsoft.com/azureiotedge-hub:1.5@sha256:…": repository path, tag.
struct ImageName {
    std::string repository;  // with the registry's host, if given
    std::string tag;         // "latest" when absent
};
// Errc::malformed for what could leave the bundles' folder or is no image name.
[[nodiscard]] Result<ImageName> parse_image_name(std::string_view image);

struct Bundle {
    std::filesystem::path folder;
    std::vector<std::string> entrypoint;
    std::vector<std::string> command;
    std::map<std::string, std::string> environment;
    std::string working_folder;  // as written; empty: the bundle's folder
};

[[nodiscard]] Result<Bundle> parse_bundle(std::string_view config_json, std::filesystem::path folder);

// <bundles>/<repository>/<tag>/config.json, else <bundles>/<repository>/config.json; Errc::not_found names both.
[[nodiscard]] Result<Bundle> find_bundle(storage::Files& files, const std::filesystem::path& bundles,
                                         std::string_view image);

}  // namespace skerry::engine
