// A module's output on disk: two files, log.0 (being written) and log.1 (the one before), each a header and records
// (docs/formats/process-engine.md). The shim writes, the engine reads, with no lock between them.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "storage/files.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::engine {

inline constexpr std::string_view log_magic = "SKRYLOG1";
inline constexpr std::size_t log_head_bytes = 16;       // magic, sequence
inline constexpr std::size_t record_head_bytes = 13;    // stream, time, length
inline constexpr std::size_t longest_line = 16 * 1024;  // longer ones become several records

enum class OutputStream : std::uint8_t { out = 1, err = 2 };

struct LogRecord {
    OutputStream stream{OutputStream::out};
    std::int64_t time_ns{0};  // since 1970
    std::string text;         // a line with its newline; without: a part of one
};

[[nodiscard]] std::string log_head(std::uint64_t sequence);
// nullopt: not a log file.
[[nodiscard]] std::optional<std::uint64_t> parse_log_head(std::string_view bytes);
void append_record(std::string& out, OutputStream stream, std::int64_t time_ns, std::string_view text);
// Where the whole, well-formed records end.
[[nodiscard]] std::uint64_t valid_log_size(int file);

// Writes the log files of the current folder. A full disk loses output, never the module: what could not be written is
// dropped. Plain system calls, for the shim.
class LogWriter {
public:
    explicit LogWriter(std::uint64_t limit) : limit_(limit) {}
    ~LogWriter();
    LogWriter(const LogWriter&) = delete;
    LogWriter& operator=(const LogWriter&) = delete;

    void append(OutputStream stream, std::string_view bytes, std::int64_t time_ns);
    // The last line may lack its newline.
    void finish(std::int64_t time_ns);

private:
    void open();
    void rotate();
    void flush();

    std::uint64_t limit_;
    std::uint64_t size_{0};
    std::uint64_t sequence_{1};
    int file_{-1};
    std::array<std::string, 2> partial_;
    std::string pending_;
};

// Reads the records of a module's folder from the oldest on, across rotations.
class LogReader {
public:
    LogReader(storage::Files& files, std::filesystem::path folder);

    // nullopt: nothing more at the moment.
    [[nodiscard]] Result<std::optional<LogRecord>> next();

private:
    Result<bool> open_next();
    Result<bool> fill();

    storage::Files& files_;
    std::filesystem::path folder_;
    std::unique_ptr<storage::File> file_;
    std::uint64_t sequence_{0};  // of file_
    std::uint64_t offset_{0};    // of the first byte after buffer_
    std::string buffer_;
    std::size_t used_{0};
};

}  // namespace skerry::engine
