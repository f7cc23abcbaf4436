#include "agent/log_tail.hpp"

#include "agent/report.hpp"
#include "base/encoding.hpp"
#include "daemonapi/log_frames.hpp"

#include <algorithm>
#include <vector>

namespace skerry::agent {

namespace {

std::string text_of(std::string_view bytes) {
    daemonapi::LogFrames frames;
    frames.feed(bytes);
    std::string text;
    while (const auto frame = frames.next()) text += frame->text;
    if (const auto frame = frames.cut_off()) text += frame->text;
    return text;
}

std::string presentable(std::string_view line) {
    std::string out(line);
    const bool utf8 = is_utf8(line);
    for (auto& byte : out) {
        const auto value = static_cast<unsigned char>(byte);
        if (value == '\t') byte = ' ';
        if (value < 0x20 || value == 0x7f || (!utf8 && value >= 0x80)) byte = value == '\t' ? ' ' : '?';
    }
    return shortened(out, line_bytes);
}

}  // namespace

std::string last_words(std::string_view log) {
    const auto text = text_of(log);
    std::vector<std::string> lines;
    for (std::string_view rest = text; !rest.empty();) {
        const auto end = rest.find('\n');
        auto line = rest.substr(0, end);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (!line.empty()) lines.push_back(presentable(line));
    }
    std::string out;
    for (auto at = lines.size() - std::min(lines.size(), last_lines); at < lines.size(); ++at)
        out += (out.empty() ? "" : "\n") + lines[at];
    return out;
}

}  // namespace skerry::agent
