// Whatever a registry, or what it sends us to, says is read or refused; never a crash. The bytes also stand for a kept
// signature and for an image's name.
#include "engine/registry/challenge.hpp"
#include "engine/registry/signature.hpp"
#include "engine/registry/verified.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace skerry::engine::registry;
    const std::string text(reinterpret_cast<const char*>(data), size);
    if (const auto name = parse_image_name(text)) {
        const auto again = parse_image_name(name->text());
        if (!again || again->text() != name->text()) __builtin_trap();
        static_cast<void>(parse_verified(text, *name));
    }
    static_cast<void>(parse_verified(text, ImageName{"r", "m", "1", {}}));
    static_cast<void>(parse_signature_manifest(text));
    static_cast<void>(check_signature({text, text}, text, {}));
    static_cast<void>(parse_challenge(text));
    static_cast<void>(parse_token(text));
    if (const auto url = parse_url(text)) static_cast<void>(url->authority());
    static_cast<void>(parse_authority(text, 443));
    return 0;
}
