#include "engine/registry/signature.hpp"

#include "base/encoding.hpp"
#include "crypto/signature.hpp"
#include "engine/moby/fields.hpp"
#include "engine/registry/image_name.hpp"
#include "model/twin.hpp"

#include <boost/json/value.hpp>

#include <algorithm>

namespace skerry::engine::registry {

namespace json = boost::json;
using moby::array_at;
using moby::object_at;
using moby::text_at;

namespace {
constexpr std::string_view annotation = "dev.cosignproject.cosign/signature";
constexpr std::string_view payload_type = "cosign container image signature";

std::unexpected<Error> no(std::string why) { return fail(Errc::unauthorized, std::move(why)); }
}  // namespace

std::string signature_tag(std::string_view digest) {
    std::string tag(digest);
    std::ranges::replace(tag, ':', '-');
    return tag + ".sig";
}

Result<std::vector<ListedSignature>> parse_signature_manifest(std::string_view body) {
    const auto manifest = model::parse_object(body);
    if (!manifest) return fail(Errc::malformed, "the signature manifest is no JSON object");
    std::vector<ListedSignature> found;
    for (const auto& entry : array_at(*manifest, "layers")) {
        if (!entry.is_object()) continue;
        const auto& layer = entry.get_object();
        auto payload = text_at(layer, "digest");
        const auto signature = base64_decode(text_at(object_at(layer, "annotations"), annotation));
        if (!is_digest(payload) || !signature || signature->empty()) continue;
        found.push_back({std::move(payload), *signature});
        if (found.size() == most_signatures) break;
    }
    return found;
}

Result<> check_signature(const Signed& signed_payload, std::string_view digest, const std::vector<std::string>& keys) {
    const bool trusted = std::ranges::any_of(keys, [&](const std::string& key) {
        return crypto::verify_ecdsa_p256(key, signed_payload.payload, signed_payload.signature).has_value();
    });
    if (!trusted) return no("it is signed, but by no key that is trusted here");
    // Only now: what nobody trusted has signed is not looked into.
    const auto payload = model::parse_object(signed_payload.payload);
    if (!payload) return no("the signed payload is no JSON object");
    const auto& critical = object_at(*payload, "critical");
    if (text_at(critical, "type") != payload_type)
        return no("the signed payload is no \"" + std::string(payload_type) + '"');
    if (text_at(object_at(critical, "image"), "docker-manifest-digest") != digest)
        return no("the signature is for another image: the signed payload names another digest");
    return {};
}

}  // namespace skerry::engine::registry
