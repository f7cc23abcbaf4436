#include "cli/output_file.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

namespace skerry::cli {

namespace fs = std::filesystem;

namespace {
constexpr unsigned owner_only = 0600;

std::unexpected<Error> cannot_write(const fs::path& name, int why) {
    return fail(system_error("can't write " + name.native(), why));
}
}  // namespace

Result<OutputFile> OutputFile::open(const std::string& name) {
    if (name == "-") {
        if (::isatty(STDOUT_FILENO) == 1)
            return fail(Errc::malformed, "this is no text for a terminal: send standard output to a file or a pipe");
        return OutputFile(STDOUT_FILENO, name, {});
    }
    std::error_code failed;
    const auto status = fs::status(name, failed);
    if (fs::is_directory(status)) return fail(Errc::malformed, name + " is a folder: name a file in it");
    if (fs::exists(status) && !fs::is_regular_file(status)) {
        const int descriptor = ::open(name.c_str(), O_WRONLY | O_CLOEXEC);
        if (descriptor < 0) return cannot_write(name, errno);
        return OutputFile(descriptor, name, {});
    }
    const auto real = fs::exists(status) ? fs::canonical(name, failed) : fs::path(name);
    if (failed && fs::exists(status)) return cannot_write(name, failed.value());
    const fs::path beside = fmt::format("{}.{}.part", real.native(), ::getpid());
    const int descriptor = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, owner_only);
    if (descriptor < 0) return cannot_write(name, errno);
    return OutputFile(descriptor, real, beside);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      name_(std::move(other.name_)),
      beside_(std::move(other.beside_)),
      written_(other.written_) {}

OutputFile::~OutputFile() {
    if (descriptor_ < 0) return;
    if (!is_standard_output()) ::close(descriptor_);
    if (!beside_.empty()) ::unlink(beside_.c_str());
}

bool OutputFile::is_standard_output() const { return descriptor_ == STDOUT_FILENO; }

Result<> OutputFile::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto put = ::write(descriptor_, bytes.data(), bytes.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return cannot_write(is_standard_output() ? "to standard output" : name_, errno);
        written_ += static_cast<std::uint64_t>(put);
        bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return {};
}

Result<> OutputFile::finish() {
    if (is_standard_output()) return {};
    if (!beside_.empty() && ::fsync(descriptor_) != 0) return cannot_write(name_, errno);
    if (::close(std::exchange(descriptor_, -1)) != 0) {
        const int why = errno;
        if (!beside_.empty()) ::unlink(beside_.c_str());
        return cannot_write(name_, why);
    }
    if (beside_.empty() || std::rename(beside_.c_str(), name_.c_str()) == 0) return {};
    const int why = errno;
    ::unlink(beside_.c_str());
    return cannot_write(name_, why);
}

}  // namespace skerry::cli
