#include "cli/log_frames.hpp"

#include <cstddef>

namespace skerry::cli {

namespace {
constexpr std::size_t head = 8;
constexpr std::size_t largest_frame = 16 * 1024 * 1024;
}  // namespace

std::optional<LogFrame> LogFrames::next() {
    if (broken_ || buffer_.size() < head) return std::nullopt;
    const auto byte = [this](std::size_t at) { return static_cast<unsigned char>(buffer_[at]); };
    std::size_t length = 0;
    for (std::size_t at = 4; at < head; ++at) length = length << 8 | byte(at);
    if (byte(0) > 2 || byte(1) != 0 || byte(2) != 0 || byte(3) != 0 || length > largest_frame) {
        broken_ = true;
        return std::nullopt;
    }
    if (buffer_.size() < head + length) return std::nullopt;
    LogFrame frame{byte(0), buffer_.substr(head, length)};
    buffer_.erase(0, head + length);
    return frame;
}

}  // namespace skerry::cli
