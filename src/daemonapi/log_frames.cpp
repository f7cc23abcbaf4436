#include "daemonapi/log_frames.hpp"

#include <algorithm>
#include <utility>

namespace skerry::daemonapi {

namespace {
constexpr std::size_t head = 8;
constexpr std::size_t largest_frame = 16 * 1024 * 1024;
}  // namespace

// As far as its first four bytes, or those that are there, tell.
bool LogFrames::begins_like_a_frame() const {
    const auto there = std::string_view(buffer_).substr(taken_, 4);
    return (there.empty() || there[0] == '\0' || there[0] == '\1' || there[0] == '\2') &&
           std::ranges::all_of(there.substr(std::min<std::size_t>(1, there.size())), [](char c) { return c == '\0'; });
}

void LogFrames::forget_taken() {
    buffer_.erase(0, taken_);
    taken_ = 0;
}

std::optional<LogFrame> LogFrames::next() {
    if (kind_ == Kind::broken || buffer_.size() == taken_) {
        forget_taken();
        return std::nullopt;
    }
    if (kind_ == Kind::unknown && !begins_like_a_frame()) kind_ = Kind::plain;
    if (kind_ == Kind::plain) return LogFrame{1, std::exchange(buffer_, {})};
    const bool well_formed = begins_like_a_frame();
    if (well_formed && buffer_.size() - taken_ < head) {
        forget_taken();
        return std::nullopt;
    }
    std::size_t length = 0;
    if (well_formed)
        for (std::size_t at = 4; at < head; ++at)
            length = length << 8 | static_cast<unsigned char>(buffer_[taken_ + at]);
    if (!well_formed || length > largest_frame) {
        kind_ = Kind::broken;
        return std::nullopt;
    }
    kind_ = Kind::framed;
    if (buffer_.size() - taken_ < head + length) {
        forget_taken();
        return std::nullopt;
    }
    LogFrame frame{static_cast<unsigned char>(buffer_[taken_]), buffer_.substr(taken_ + head, length)};
    taken_ += head + length;
    return frame;
}

std::optional<LogFrame> LogFrames::cut_off() {
    if (kind_ != Kind::framed || buffer_.size() - taken_ <= head || !begins_like_a_frame()) return std::nullopt;
    LogFrame frame{static_cast<unsigned char>(buffer_[taken_]), buffer_.substr(taken_ + head)};
    taken_ = buffer_.size();
    forget_taken();
    return frame;
}

}  // namespace skerry::daemonapi
