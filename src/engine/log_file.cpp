#include "engine/log_file.hpp"

#include "base/encoding.hpp"

namespace skerry::engine {

std::string log_head(std::uint64_t sequence) {
    std::string head(log_magic);
    put_le(head, sequence);
    return head;
}

std::optional<std::uint64_t> parse_log_head(std::string_view bytes) {
    if (bytes.size() < log_head_bytes || !bytes.starts_with(log_magic)) return std::nullopt;
    return get_le<std::uint64_t>(bytes, log_magic.size());
}

void append_record(std::string& out, OutputStream stream, std::int64_t time_ns, std::string_view text) {
    out.push_back(static_cast<char>(stream));
    put_le(out, time_ns);
    put_le(out, static_cast<std::uint32_t>(text.size()));
    out += text;
}

LogReader::LogReader(storage::Files& files, std::filesystem::path folder) : files_(files), folder_(std::move(folder)) {}

namespace {
struct Candidate {
    std::unique_ptr<storage::File> file;
    std::uint64_t sequence{0};
};

// nullopt when there is none, or it is no log file.
std::optional<Candidate> open_log(storage::Files& files, const std::filesystem::path& path) {
    auto file = files.open(path, storage::Files::Mode::read);
    if (!file) return std::nullopt;
    std::string head;
    if (!(*file)->read_at(0, log_head_bytes, head)) return std::nullopt;
    const auto sequence = parse_log_head(head);
    if (!sequence) return std::nullopt;
    return Candidate{std::move(*file), *sequence};
}
}  // namespace

// Moves to the oldest file that is younger than the present one; false when there is none.
Result<bool> LogReader::open_next() {
    auto older = open_log(files_, folder_ / "log.1");
    auto newer = open_log(files_, folder_ / "log.0");
    auto* chosen = older && older->sequence > sequence_ ? &older : &newer;
    if (!*chosen || (*chosen)->sequence <= sequence_) return false;
    // The writer may have added to the present file between our last read and the rotation that we see now.
    if (file_) {
        const auto more = fill();
        if (!more) return more;
        if (*more) return true;
    }
    file_ = std::move((*chosen)->file);
    sequence_ = (*chosen)->sequence;
    offset_ = log_head_bytes;
    buffer_.clear();
    used_ = 0;
    return true;
}

Result<bool> LogReader::fill() {
    constexpr std::size_t step = 64 * 1024;
    buffer_.erase(0, used_);
    used_ = 0;
    std::string more;
    const auto got = file_->read_at(offset_, step, more);
    if (!got) return std::unexpected(got.error());
    offset_ += *got;
    buffer_.append(more, 0, *got);
    return *got > 0;
}

Result<std::optional<LogRecord>> LogReader::next() {
    for (;;) {
        const auto rest = std::string_view(buffer_).substr(used_);
        if (rest.size() >= record_head_bytes) {
            const auto length = get_le<std::uint32_t>(rest, 9);
            if (length > longest_line) return fail(Errc::malformed, (folder_ / "log").native() + ": a damaged record");
            if (rest.size() >= record_head_bytes + length) {
                LogRecord record{rest[0] == 2 ? OutputStream::err : OutputStream::out, get_le<std::int64_t>(rest, 1),
                                 std::string(rest.substr(record_head_bytes, length))};
                used_ += record_head_bytes + length;
                return record;
            }
        }
        auto more = file_ ? fill() : Result<bool>(false);
        if (more && !*more) more = open_next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return std::nullopt;
    }
}

}  // namespace skerry::engine
