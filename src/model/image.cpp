// Image references as the manifest writes them (agent-and-daemon.md 1.3).
#include "model/fields.hpp"
#include "model/manifest.hpp"

#include <fmt/format.h>

namespace skerry::model {

namespace {
constexpr std::string_view upstream = "$upstream";

Result<std::string> replace_upstream(std::string_view image, std::string_view parent_host) {
    const auto rest = image.starts_with(upstream) ? image.substr(upstream.size()) : std::string_view();
    if (rest.size() < 2 || rest[0] != ':' || rest[1] < '1' || rest[1] > '9')
        return fail(Errc::malformed, fmt::format("'{}': after '$' only '$upstream:<port>/…' is known", image));
    if (parent_host.empty())
        return fail(Errc::malformed, fmt::format("'{}' names $upstream, but this device has no parent", image));
    return fmt::format("{}{}", parent_host, rest);
}
}  // namespace

Result<std::string> normalise_image(std::string_view image, std::string_view parent_host) {
    std::string out(trimmed(image));
    if (out.empty()) return fail(Errc::malformed, "is blank; give an image reference");
    if (out.front() == '$') {
        auto replaced = replace_upstream(out, parent_host);
        if (!replaced) return replaced;
        out = std::move(*replaced);
    }
    const auto slash = out.rfind('/');
    const auto last = std::string_view(out).substr(slash == std::string::npos ? 0 : slash + 1);
    const auto colon = last.find(':');
    const auto name = last.substr(0, colon);
    const auto tag = colon == std::string_view::npos ? std::string_view() : last.substr(colon + 1);
    const bool bad_tag = colon != std::string_view::npos && (tag.empty() || tag.find(':') != std::string_view::npos);
    if (name.empty() || bad_tag)
        return fail(Errc::malformed, fmt::format("'{}' is no image reference; write repository/name:tag", out));
    if (colon == std::string_view::npos) out += ":latest";
    return out;
}

}  // namespace skerry::model
