// An image's name taken apart as container engines do: "sensor" is docker.io/library/sensor:latest.
//
// Promises: what a value holds is fit for a URL's path: lower-case repositories, tags and digests of the registry's
// rules.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace skerry::engine::registry {

struct ImageName {
    std::string registry;    // "docker.io", "host", "host:5000"
    std::string repository;  // "library/sensor"
    std::string tag;         // empty when there is a digest
    std::string digest;      // "sha256:…", or empty

    [[nodiscard]] std::string place() const { return registry + '/' + repository; }
    // The same image for ever.
    [[nodiscard]] std::string pinned(std::string_view to_digest) const {
        return place() + '@' + std::string(to_digest);
    }
    [[nodiscard]] std::string text() const { return digest.empty() ? place() + ':' + tag : pinned(digest); }
};

// Errc::malformed with the name.
[[nodiscard]] Result<ImageName> parse_image_name(std::string_view text);

// "sha256:" and 64 hex digits in lower case: no other algorithm is in use.
[[nodiscard]] bool is_digest(std::string_view text);
// Of these bytes.
[[nodiscard]] std::string digest_of(std::string_view bytes);

}  // namespace skerry::engine::registry
