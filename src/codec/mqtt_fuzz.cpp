// Whatever comes from a socket: the decoder neither crashes nor depends on how the bytes were cut, and what it accepts
// encodes to packets that it accepts again.
#include "codec/mqtt.hpp"

#include <cstdint>
#include <cstdlib>

namespace {
using namespace skerry::codec::mqtt;

std::string decode(std::string_view bytes, std::size_t step) {
    Decoder decoder;
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        decoder.feed(bytes.substr(at, step));
        for (;;) {
            const auto packet = decoder.next();
            if (!packet) return out + "error: " + packet.error().text;
            if (!*packet) break;
            encode(**packet, out);
        }
    }
    return out;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto once = decode(bytes, size + 1);
    if (once != decode(bytes, 1) || once != decode(bytes, 7)) std::abort();
    if (once.find("error: ") == std::string::npos && decode(once, once.size() + 1) != once) std::abort();
    return 0;
}
