// Takes the engine's log stream apart: frames of 1 byte stream (1 stdout, 2 stderr), 3 zero bytes, 4 bytes length
// (big-endian), payload. Frames may arrive in any pieces.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace skerry::cli {

struct LogFrame {
    int stream;
    std::string text;
};

class LogFrames {
public:
    void feed(std::string_view bytes) { buffer_ += bytes; }
    // nullopt: nothing complete yet, or broken().
    [[nodiscard]] std::optional<LogFrame> next();
    // What came is no such stream. Final.
    [[nodiscard]] bool broken() const { return broken_; }

private:
    std::string buffer_;
    bool broken_{false};
};

}  // namespace skerry::cli
