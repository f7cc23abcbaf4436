#include "agent/logs/selection.hpp"

#include <boost/json/serialize.hpp>

#include <utility>

namespace skerry::agent {

namespace {
constexpr std::size_t longest_line = 64 * 1024;
constexpr std::size_t most_held = 8 * 1024 * 1024;
}  // namespace

LogSelection::LogSelection(LogOrigin origin, const LogFilter& filter, LogContent content, LogEncoding encoding)
    : origin_(std::move(origin)), filter_(filter), content_(content) {
    if (encoding == LogEncoding::gzip) gzip_.emplace();
    if (content_ == LogContent::json) put("[");
}

daemonapi::LogOptions LogSelection::options() const {
    return {.follow = false,
            .tail = filter_.tail && !filter_.counts_itself() ? std::to_string(*filter_.tail) : std::string(),
            .since = filter_.since,
            .until = filter_.until,
            .timestamps = content_ == LogContent::json};
}

void LogSelection::feed(std::string_view bytes) {
    frames_.feed(bytes);
    while (auto frame = frames_.next()) take_frame(std::move(*frame));
}

// A frame holds whole lines; of a terminal's stream a line may go on in the next piece.
void LogSelection::take_frame(daemonapi::LogFrame frame) {
    open_line_ += frame.text;
    std::string_view rest = open_line_;
    while (!rest.empty()) {
        const auto end = rest.find('\n');
        const bool wait_for_more = end == rest.npos && frames_.plain() && rest.size() < longest_line;
        if (wait_for_more) break;
        const auto line = rest.substr(0, end == rest.npos ? end : end + 1);
        take_line(frame.stream, line);
        rest.remove_prefix(line.size());
    }
    open_line_.erase(0, open_line_.size() - rest.size());
}

void LogSelection::take_line(int stream, std::string_view raw) {
    const auto line = parse_log_line(stream, raw);
    if (filter_.level && line.level > *filter_.level) return;
    if (filter_.text && !filter_.text->found_in(line.text)) return;
    std::string text = content_ == LogContent::text
                           ? std::string(raw)
                           : boost::json::serialize(to_json(line, origin_.hub, origin_.device, origin_.module));
    if (filter_.counts_itself()) return hold(std::move(text));
    if (content_ == LogContent::json && std::exchange(any_, true)) put(",");
    put(text);
}

void LogSelection::hold(std::string text) {
    held_bytes_ += text.size();
    held_.push_back(std::move(text));
    while (!held_.empty() && (held_.size() > *filter_.tail || held_bytes_ > most_held)) {
        held_bytes_ -= held_.front().size();
        held_.pop_front();
    }
}

void LogSelection::put(std::string_view bytes) {
    if (gzip_)
        gzip_->write(bytes, out_);
    else
        out_ += bytes;
}

std::string LogSelection::take(std::size_t most) {
    if (out_.size() <= most) return take();
    std::string piece = out_.substr(0, most);
    out_.erase(0, most);
    return piece;
}

Result<> LogSelection::finish() {
    if (frames_.broken()) return fail(Errc::io, "the daemon's log of module '" + origin_.module + "' is no log");
    if (!open_line_.empty()) take_line(1, std::exchange(open_line_, {}));
    while (!held_.empty()) {
        if (content_ == LogContent::json && std::exchange(any_, true)) put(",");
        put(held_.front());
        held_.pop_front();
    }
    if (content_ == LogContent::json) put("]");
    if (gzip_) gzip_->finish(out_);
    return {};
}

}  // namespace skerry::agent
