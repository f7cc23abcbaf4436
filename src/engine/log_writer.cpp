#include "base/encoding.hpp"
#include "engine/log_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace skerry::engine {

namespace {
bool read_exactly(int file, std::uint64_t offset, char* out, std::size_t count) {
    return ::pread(file, out, count, static_cast<off_t>(offset)) == static_cast<ssize_t>(count);
}
}  // namespace

std::uint64_t valid_log_size(int file) {
    struct stat about{};
    if (::fstat(file, &about) != 0) return 0;
    const auto size = static_cast<std::uint64_t>(about.st_size);
    std::array<char, log_head_bytes> head{};
    if (!read_exactly(file, 0, head.data(), head.size()) || !parse_log_head({head.data(), head.size()})) return 0;
    std::uint64_t at = log_head_bytes;
    while (at + record_head_bytes <= size) {
        std::array<char, record_head_bytes> record{};
        if (!read_exactly(file, at, record.data(), record.size())) break;
        const auto length = get_le<std::uint32_t>({record.data(), record.size()}, 9);
        if (length > longest_line || at + record_head_bytes + length > size) break;
        at += record_head_bytes + length;
    }
    return at;
}

LogWriter::~LogWriter() {
    if (file_ >= 0) ::close(file_);
}

void LogWriter::open() {
    file_ = ::open("log.0", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file_ < 0) return;
    // A power cut may have torn the last record.
    size_ = valid_log_size(file_);
    if (::ftruncate(file_, static_cast<off_t>(size_)) != 0) size_ = 0;
    std::array<char, log_head_bytes> head{};
    if (size_ > 0 && read_exactly(file_, 0, head.data(), head.size()))
        sequence_ = parse_log_head({head.data(), head.size()}).value_or(sequence_);
    if (size_ == 0) {
        const auto fresh = log_head(sequence_);
        if (::pwrite(file_, fresh.data(), fresh.size(), 0) == static_cast<ssize_t>(fresh.size())) size_ = fresh.size();
    }
    ::lseek(file_, static_cast<off_t>(size_), SEEK_SET);
}

void LogWriter::rotate() {
    if (file_ >= 0) ::close(file_);
    file_ = -1;
    if (std::rename("log.0", "log.1") == 0) ++sequence_;
    open();
}

void LogWriter::flush() {
    if (pending_.empty()) return;
    if (file_ < 0) open();
    if (size_ + pending_.size() > limit_ && size_ > log_head_bytes) rotate();
    if (file_ >= 0) {
        const auto written = ::write(file_, pending_.data(), pending_.size());
        if (written == static_cast<ssize_t>(pending_.size())) {
            size_ += pending_.size();
        } else {
            // No half records: cut it off, so that the next one can be read.
            if (::ftruncate(file_, static_cast<off_t>(size_)) == 0) ::lseek(file_, static_cast<off_t>(size_), SEEK_SET);
        }
    }
    pending_.clear();
}

void LogWriter::append(OutputStream stream, std::string_view bytes, std::int64_t time_ns) {
    auto& partial = partial_[stream == OutputStream::err ? 1 : 0];
    while (!bytes.empty()) {
        const auto newline = bytes.find('\n');
        const auto line = newline == bytes.npos ? bytes.size() : newline + 1;
        const auto piece = bytes.substr(0, std::min(line, longest_line - partial.size()));
        bytes.remove_prefix(piece.size());
        partial += piece;
        if (partial.size() < longest_line && partial.back() != '\n') continue;
        append_record(pending_, stream, time_ns, partial);
        partial.clear();
    }
    flush();
}

void LogWriter::finish(std::int64_t time_ns) {
    for (const auto stream : {OutputStream::out, OutputStream::err}) {
        auto& partial = partial_[stream == OutputStream::err ? 1 : 0];
        if (!partial.empty()) append_record(pending_, stream, time_ns, partial);
        partial.clear();
    }
    flush();
}

}  // namespace skerry::engine
