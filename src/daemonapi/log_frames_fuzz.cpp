// However a log stream is cut into pieces, the same text comes out.
#include "daemonapi/log_frames.hpp"

#include <cstdint>
#include <cstdlib>

namespace {
std::string text_of(std::string_view bytes, std::size_t piece, bool& broken) {
    skerry::daemonapi::LogFrames frames;
    std::string text;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        frames.feed(bytes.substr(at, piece));
        while (const auto frame = frames.next()) text += frame->text;
    }
    broken = frames.broken();
    if (const auto frame = frames.cut_off()) text += frame->text;
    return text;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    bool one = false;
    bool other = false;
    const auto whole = text_of(bytes, size + 1, one);
    if (whole != text_of(bytes, 1, other) || one != other) std::abort();
    return 0;
}
