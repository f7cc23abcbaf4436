// Signatures over an image's digest, as cosign stores them: beside the image, under the tag "sha256-<hex>.sig", lies a
// manifest; each of its layers is a payload ("simple signing"), with the signature over it as an annotation.
//
// Promises: pure. What counts is a payload that names this digest, is whole, and is signed with a trusted key.
// Bounds:   32 signatures are looked at, 64 KB a payload.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::engine::registry {

inline constexpr std::size_t most_signatures = 32;
inline constexpr std::size_t largest_payload = 64 * 1024;

// The tag of the signatures: "sha256-<hex>.sig".
[[nodiscard]] std::string signature_tag(std::string_view digest);

struct ListedSignature {
    std::string payload_digest;
    std::string signature;  // DER
};
// The layers of a signature manifest that can be read as such; none if there are none.
[[nodiscard]] Result<std::vector<ListedSignature>> parse_signature_manifest(std::string_view body);

struct Signed {
    std::string payload;
    std::string signature;  // DER
};
// Whether it is a signature over the image of this digest, with one of the keys (PEM). Errc::unauthorized says why not.
[[nodiscard]] Result<> check_signature(const Signed& signed_payload, std::string_view digest,
                                       const std::vector<std::string>& keys);

}  // namespace skerry::engine::registry
