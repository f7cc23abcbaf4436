#include "engine/registry/verified.hpp"

#include "base/encoding.hpp"
#include "engine/moby/fields.hpp"
#include "model/twin.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <utility>

namespace skerry::engine::registry {

namespace json = boost::json;
using moby::text_at;

namespace {
constexpr std::size_t most_files = 1000;
constexpr std::size_t largest_file = 128 * 1024;
constexpr std::string_view ending = ".json";
}  // namespace

std::string to_text(const ImageName& image, const VerifiedImage& verified, WallTime now) {
    return json::serialize(json::object{{"image", image.text()},
                                        {"digest", verified.digest},
                                        {"payload", base64_encode(verified.proof.payload)},
                                        {"signature", base64_encode(verified.proof.signature)},
                                        {"time", format_rfc3339(now, 0)}}) +
           '\n';
}

Result<VerifiedImage> parse_verified(std::string_view text, const ImageName& image) {
    const auto object = model::parse_object(text);
    if (!object) return std::unexpected(object.error());
    const auto payload = base64_decode(text_at(*object, "payload"));
    const auto signature = base64_decode(text_at(*object, "signature"));
    VerifiedImage out;
    out.digest = text_at(*object, "digest");
    if (text_at(*object, "image") != image.text() || !payload || !signature || !is_digest(out.digest))
        return fail(Errc::malformed, "not a verified signature of " + image.text());
    out.proof = {*payload, *signature};
    return out;
}

std::filesystem::path VerifiedImages::path_of(const ImageName& image) const {
    constexpr std::size_t digits = 32;
    const auto digest = digest_of(image.text());
    return folder_ / (digest.substr(digest.find(':') + 1, digits) + std::string(ending));
}

Result<> VerifiedImages::keep(const ImageName& image, const VerifiedImage& verified) {
    if (const auto made = files_.make_folders(folder_, 0700); !made) return made;
    const auto path = path_of(image);
    if (!files_.exists(path)) make_room();
    return storage::replace_file(files_, path, to_text(image, verified, clock_.wall()));
}

Result<VerifiedImage> VerifiedImages::find(const ImageName& image, const std::vector<std::string>& keys) {
    const auto text = storage::read_file(files_, path_of(image), largest_file);
    auto verified = text ? parse_verified(*text, image) : Result<VerifiedImage>(std::unexpected(text.error()));
    Result<> fits;
    if (verified) fits = check_signature(verified->proof, verified->digest, keys);
    const bool names_itself = verified && (image.digest.empty() || image.digest == verified->digest);
    if (verified && fits && names_itself) return verified;
    return fail(Errc::not_found, fmt::format("no verified signature of {} is kept here", image.text()));
}

// Whichever says the earliest time; one that can't be read goes first.
void VerifiedImages::make_room() {
    const auto names = files_.list(folder_);
    if (!names || names->size() < most_files) return;
    std::pair<std::string, std::string> first{"~", {}};
    for (const auto& name : *names) {
        const auto text = storage::read_file(files_, folder_ / name, largest_file);
        const auto object = text ? model::parse_object(*text) : Result<json::object>(std::unexpected(text.error()));
        first = std::min(first, {object ? text_at(*object, "time") : std::string(), name});
    }
    static_cast<void>(files_.remove(folder_ / first.second));
}

}  // namespace skerry::engine::registry
