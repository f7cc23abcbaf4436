// The seam to the disk: what the log and small state files need, so that src/sim can lose, tear and refuse writes.
//
// Threads: a File may be used by one thread at a time; Files by any. Calls block: use a Worker on the message path.
// Errors: not_found, full (ENOSPC), io, unauthorized; the text names the file.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::storage {

class File {
public:
    virtual ~File() = default;
    // Replaces the contents of `out`; short only at the end of the file.
    [[nodiscard]] virtual Result<std::size_t> read_at(std::uint64_t offset, std::size_t count, std::string& out) = 0;
    [[nodiscard]] virtual Result<> write_at(std::uint64_t offset, std::string_view bytes) = 0;  // all of it
    // fdatasync. After an error the file must not be trusted to hold what was written.
    [[nodiscard]] virtual Result<> sync_data() = 0;
    // Reserves space (as zeros) and sets the size: later writes inside can't fail with full. Never shrinks.
    [[nodiscard]] virtual Result<> allocate(std::uint64_t size) = 0;
    [[nodiscard]] virtual Result<> truncate(std::uint64_t size) = 0;
    [[nodiscard]] virtual Result<std::uint64_t> size() = 0;
};

struct DiskSpace {
    std::uint64_t total;
    std::uint64_t available;
};

class Files {
public:
    virtual ~Files() = default;
    enum class Mode { read, read_write, create };  // create: must not exist
    // `permissions` are given to a file that is created, whatever the umask.
    [[nodiscard]] virtual Result<std::unique_ptr<File>> open(const std::filesystem::path& path, Mode mode,
                                                             unsigned permissions = 0600) = 0;
    [[nodiscard]] virtual Result<std::vector<std::string>> list(
        const std::filesystem::path& folder) = 0;  // names, sorted
    // With its parents, `mode` for those that are made; durable when it returns. No error when it is there.
    [[nodiscard]] virtual Result<> make_folders(const std::filesystem::path& folder, unsigned mode) = 0;
    [[nodiscard]] virtual Result<> remove(const std::filesystem::path& path) = 0;  // a file, or an empty folder
    [[nodiscard]] virtual Result<> rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
    // Makes creations, renames and removals in the folder durable.
    [[nodiscard]] virtual Result<> sync_folder(const std::filesystem::path& folder) = 0;
    [[nodiscard]] virtual bool exists(const std::filesystem::path& path) = 0;
    [[nodiscard]] virtual Result<DiskSpace> space(const std::filesystem::path& folder) = 0;
};

[[nodiscard]] std::unique_ptr<Files> make_system_files();

// Whole small files. `read_file` refuses what is larger than `limit` (Errc::malformed). `replace_file` writes beside,
// syncs, renames and syncs the folder: old or new, never half.
[[nodiscard]] Result<std::string> read_file(Files& files, const std::filesystem::path& path,
                                            std::size_t limit = 16 * 1024 * 1024);
[[nodiscard]] Result<> replace_file(Files& files, const std::filesystem::path& path, std::string_view bytes,
                                    unsigned mode = 0600);

}  // namespace skerry::storage
