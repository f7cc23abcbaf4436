#include "crypto/crypto.hpp"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto parts = skerry::crypto::split_certificates(text);
    if (!parts || parts->empty()) return 0;
    static_cast<void>(skerry::crypto::parse_certificate(parts->front()));
    static_cast<void>(skerry::crypto::verify_chain(*parts, text, skerry::WallTime{}));
    return 0;
}
