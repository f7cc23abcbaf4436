#include "engine/registry/image_name.hpp"

#include "base/encoding.hpp"
#include "crypto/crypto.hpp"

#include <algorithm>

namespace skerry::engine::registry {

namespace {
constexpr std::string_view hub = "docker.io";
constexpr std::string_view algorithm = "sha256:";
constexpr std::size_t longest_name = 255;
constexpr std::size_t longest_tag = 128;

bool is_lower_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_alphanumeric(char c) { return is_lower_alphanumeric(c) || (c >= 'A' && c <= 'Z'); }

// Letters, digits and . _ - in parts between slashes, each beginning and ending with a letter or digit.
bool is_repository(std::string_view text) {
    if (text.empty() || text.size() > longest_name) return false;
    for (;;) {
        const auto part = text.substr(0, text.find('/'));
        const bool fits = !part.empty() && is_lower_alphanumeric(part.front()) && is_lower_alphanumeric(part.back()) &&
                          std::ranges::all_of(part, [](char c) {
                              return is_lower_alphanumeric(c) || c == '.' || c == '_' || c == '-';
                          });
        if (!fits) return false;
        if (part.size() == text.size()) return true;
        text.remove_prefix(part.size() + 1);
    }
}

bool is_tag(std::string_view text) {
    return !text.empty() && text.size() <= longest_tag && text.front() != '.' && text.front() != '-' &&
           std::ranges::all_of(text, [](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

// A host with or without port, IPv6 in brackets.
bool is_registry(std::string_view text) {
    return text.size() <= longest_name && std::ranges::all_of(text, [](char c) {
               return is_alphanumeric(c) || c == '.' || c == '-' || c == ':' || c == '[' || c == ']';
           });
}
}  // namespace

bool is_digest(std::string_view text) {
    constexpr std::size_t digits = 64;
    return text.size() == algorithm.size() + digits && text.starts_with(algorithm) &&
           std::ranges::all_of(text.substr(algorithm.size()),
                               [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string digest_of(std::string_view bytes) { return std::string(algorithm) + hex_encode(crypto::sha256(bytes)); }

Result<ImageName> parse_image_name(std::string_view text) {
    const auto wrong = [&](std::string_view why) {
        return fail(Errc::malformed,
                    "image name '" + std::string(text.substr(0, longest_name)) + "': " + std::string(why));
    };
    ImageName name;
    auto rest = text;
    if (const auto at = rest.find('@'); at != rest.npos) {
        name.digest = rest.substr(at + 1);
        if (!is_digest(name.digest)) return wrong("what follows the '@' is no sha256 digest");
        rest = rest.substr(0, at);
    }
    if (const auto colon = rest.rfind(':'); colon != rest.npos && rest.find('/', colon) == rest.npos) {
        name.tag = rest.substr(colon + 1);
        if (!is_tag(name.tag)) return wrong("the tag has characters that no tag has");
        rest = rest.substr(0, colon);
    }
    if (!name.digest.empty()) name.tag.clear();  // the digest counts
    if (name.digest.empty() && name.tag.empty()) name.tag = "latest";
    const auto slash = rest.find('/');
    const auto first = rest.substr(0, slash);
    const bool has_registry = slash != rest.npos && (first == "localhost" || first.find_first_of(".:") != first.npos);
    name.registry = has_registry ? to_lower(first) : std::string(hub);
    if (name.registry == "index.docker.io") name.registry = hub;
    name.repository = has_registry ? rest.substr(slash + 1) : rest;
    if (name.registry == hub && name.repository.find('/') == name.repository.npos)
        name.repository = "library/" + name.repository;
    if (!is_registry(name.registry)) return wrong("the registry is no host name");
    if (!is_repository(name.repository)) return wrong("the repository has characters that none has");
    return name;
}

}  // namespace skerry::engine::registry
