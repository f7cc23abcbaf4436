#include "agent/log_tail.hpp"

#include "agent/report.hpp"
#include "base/encoding.hpp"

#include <algorithm>
#include <vector>

namespace skerry::agent {

namespace {

constexpr std::size_t head = 8;

std::string text_of(std::string_view frames) {
    std::string text;
    while (frames.size() > head) {
        std::size_t length = 0;
        for (std::size_t at = 4; at < head; ++at) length = length << 8 | static_cast<unsigned char>(frames[at]);
        if (static_cast<unsigned char>(frames[0]) > 2 || frames[1] != 0 || frames[2] != 0 || frames[3] != 0) break;
        text += frames.substr(head, length);
        frames.remove_prefix(std::min(frames.size(), head + length));
    }
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

std::string last_words(std::string_view frames) {
    const auto text = text_of(frames);
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
