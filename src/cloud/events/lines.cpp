#include "cloud/events/lines.hpp"

namespace skerry::cloud {

Result<std::optional<LineReader::Line>> LineReader::next() {
    constexpr std::size_t read_size = 256 * 1024;
    std::size_t searched = 0;
    for (;;) {
        const auto view = std::string_view(buffer_).substr(start_);
        const auto newline = view.find('\n', searched);
        if (newline != std::string_view::npos) {
            const auto line = view.substr(0, newline);
            start_ += newline + 1;
            offset_ += newline + 1;
            searched = 0;
            const auto text = in_overlong_line_ ? std::nullopt : checked_text(line);
            in_overlong_line_ = false;
            const auto head = text ? head_of(*text) : std::nullopt;
            if (head) return Line{std::string(*text), *head, offset_};
            ++skipped_;
            continue;
        }
        searched = view.size();
        if (view.size() > longest_line) {
            offset_ += view.size();
            buffer_.clear();
            start_ = searched = 0;
            in_overlong_line_ = true;
        } else if (start_ > 0) {
            buffer_.erase(0, start_);
            start_ = 0;
        }
        std::string piece;
        const auto got = file_->read_at(offset_ + buffer_.size(), read_size, piece);
        if (!got) return fail(got.error());
        if (*got == 0) return std::nullopt;
        buffer_ += piece;
    }
}

}  // namespace skerry::cloud
