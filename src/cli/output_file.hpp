// A file that a command writes piece by piece and that appears when it is whole.
//
// Promises: under the wanted name there is what was there before, or the whole new file; never half of it, whatever
//           ends the command (SIGKILL leaves <name>.<pid>.part). Only its owner may read it. A device or a pipe of that
//           name is written to, not replaced; a link is followed.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace skerry::cli {

class OutputFile {
public:
    // "-" is standard output; a terminal is refused. Nothing is written before write().
    [[nodiscard]] static Result<OutputFile> open(const std::string& name);
    ~OutputFile();
    OutputFile(OutputFile&& other) noexcept;
    OutputFile& operator=(OutputFile&&) = delete;

    [[nodiscard]] Result<> write(std::string_view bytes);
    // The last call: it is whole.
    [[nodiscard]] Result<> finish();

    [[nodiscard]] std::uint64_t written() const { return written_; }
    [[nodiscard]] bool is_standard_output() const;

private:
    OutputFile(int descriptor, std::filesystem::path name, std::filesystem::path beside)
        : descriptor_(descriptor), name_(std::move(name)), beside_(std::move(beside)) {}

    int descriptor_;
    std::filesystem::path name_;
    std::filesystem::path beside_;  // empty: written to directly
    std::uint64_t written_{0};
};

}  // namespace skerry::cli
