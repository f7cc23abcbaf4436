// From the daemon's log stream to what was asked for: lines, filtered, the last so many of them, written down.
//
// Bounds: a line of a terminal's stream is cut after 64 KiB. Lines that are counted here (tail with both since and
//         until) are held, 8 MiB of them at most; older ones give way. Everything else goes through.
#pragma once

#include "agent/logs/gzip.hpp"
#include "agent/logs/line.hpp"
#include "agent/logs/request.hpp"
#include "daemonapi/log_frames.hpp"
#include "daemonapi/management_client.hpp"

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace skerry::agent {

struct LogOrigin {
    std::string hub;
    std::string device;
    std::string module;
};

class LogSelection {
public:
    // `filter` must outlive it.
    LogSelection(LogOrigin origin, const LogFilter& filter, LogContent content, LogEncoding encoding);

    // What the daemon is to be asked for.
    [[nodiscard]] daemonapi::LogOptions options() const;
    void feed(std::string_view bytes);
    // Errc::io: the daemon sent no log.
    [[nodiscard]] Result<> finish();

    // What is written so far and was not taken yet.
    [[nodiscard]] std::size_t written() const { return out_.size(); }
    [[nodiscard]] std::string take() { return std::exchange(out_, {}); }
    // At most so many bytes of it.
    [[nodiscard]] std::string take(std::size_t most);

private:
    void take_frame(daemonapi::LogFrame frame);
    void take_line(int stream, std::string_view raw);
    void hold(std::string text);
    void put(std::string_view bytes);

    LogOrigin origin_;
    const LogFilter& filter_;
    LogContent content_;
    std::optional<Gzip> gzip_;
    daemonapi::LogFrames frames_;
    std::string open_line_;  // of a terminal's stream
    std::deque<std::string> held_;
    std::size_t held_bytes_{0};
    bool any_{false};
    std::string out_;
};

}  // namespace skerry::agent
