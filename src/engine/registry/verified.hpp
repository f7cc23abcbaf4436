// Signatures that were verified, on disk: with them a module can be made again while its registry is away.
//
// Promises: what is found is verified again, with the keys that are trusted now.
// Bounds:   1,000 files of 128 KB; the one that was kept first makes room.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "engine/registry/image_name.hpp"
#include "engine/registry/signature.hpp"
#include "storage/files.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::engine::registry {

struct VerifiedImage {
    std::string digest;
    Signed proof;
};

// {"image", "digest", "payload", "signature", "time"}, as <folder>/<hex digits>.json
[[nodiscard]] std::string to_text(const ImageName& image, const VerifiedImage& verified, WallTime now);
[[nodiscard]] Result<VerifiedImage> parse_verified(std::string_view text, const ImageName& image);

class VerifiedImages {
public:
    VerifiedImages(storage::Files& files, Clock& clock, std::filesystem::path folder)
        : files_(files), clock_(clock), folder_(std::move(folder)) {}

    [[nodiscard]] Result<> keep(const ImageName& image, const VerifiedImage& verified);
    // Errc::not_found when nothing is known of the image, or nothing that counts with these keys.
    [[nodiscard]] Result<VerifiedImage> find(const ImageName& image, const std::vector<std::string>& keys);

private:
    [[nodiscard]] std::filesystem::path path_of(const ImageName& image) const;
    void make_room();

    storage::Files& files_;
    Clock& clock_;
    std::filesystem::path folder_;
};

}  // namespace skerry::engine::registry
