// Takes the engine's log stream apart: frames of 1 byte stream (1 stdout, 2 stderr), 3 zero bytes, 4 bytes length
// (big-endian), payload. Frames may arrive in any pieces.
//
// Promise: a stream that begins with no frame is a terminal's (a module with Tty has no frames): all of it is given as
//          standard output. Only a stream that begins with frames and then has none is broken.
// Bound:   holds what was fed and not yet taken; a frame of more than 16 MiB is broken.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::daemonapi {

struct LogFrame {
    int stream;
    std::string text;
};

class LogFrames {
public:
    void feed(std::string_view bytes) { buffer_ += bytes; }
    // nullopt: nothing complete yet, or broken().
    [[nodiscard]] std::optional<LogFrame> next();
    // The beginning of a frame whose end never came: when no more is fed, after next() gave nullopt.
    [[nodiscard]] std::optional<LogFrame> cut_off();
    [[nodiscard]] bool plain() const { return kind_ == Kind::plain; }  // a terminal's: pieces end anywhere
    // What came is no such stream. Final.
    [[nodiscard]] bool broken() const { return kind_ == Kind::broken; }

private:
    enum class Kind { unknown, framed, plain, broken };
    [[nodiscard]] bool begins_like_a_frame() const;
    void forget_taken();

    std::string buffer_;
    std::size_t taken_{0};  // of buffer_
    Kind kind_{Kind::unknown};
};

}  // namespace skerry::daemonapi
