// The system's files: plain POSIX calls, each retried when a signal interrupts it, each error with the file's name.
#include "storage/files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace skerry::storage {

namespace fs = std::filesystem;

namespace {
static_assert(sizeof(off_t) == 8, "build with -D_FILE_OFFSET_BITS=64");

std::unexpected<Error> failed(std::string_view doing, const fs::path& path, int number) {
    return fail(system_error(fmt::format("{} '{}'", doing, path.native()), number));
}

// Calls again as long as a signal interrupts.
template <class Call>
auto retry(Call call) {
    for (;;) {
        const auto value = call();
        if (value >= 0 || errno != EINTR) return value;
    }
}

class SystemFile final : public File {
public:
    SystemFile(int descriptor, fs::path path) : descriptor_(descriptor), path_(std::move(path)) {}
    ~SystemFile() override { ::close(descriptor_); }
    SystemFile(const SystemFile&) = delete;
    SystemFile& operator=(const SystemFile&) = delete;

    Result<std::size_t> read_at(std::uint64_t offset, std::size_t count, std::string& out) override {
        out.resize(count);
        std::size_t done = 0;
        while (done < count) {
            const auto got = retry([&] {
                return ::pread(descriptor_, out.data() + done, count - done, static_cast<off_t>(offset + done));
            });
            if (got < 0) return failed("reading", path_, errno);
            if (got == 0) break;
            done += static_cast<std::size_t>(got);
        }
        out.resize(done);
        return done;
    }

    Result<> write_at(std::uint64_t offset, std::string_view bytes) override {
        while (!bytes.empty()) {
            const auto put =
                retry([&] { return ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
            if (put < 0) return failed("writing", path_, errno);
            offset += static_cast<std::uint64_t>(put);
            bytes.remove_prefix(static_cast<std::size_t>(put));
        }
        return {};
    }

    Result<> sync_data() override {
        if (retry([&] { return ::fdatasync(descriptor_); }) < 0) return failed("syncing", path_, errno);
        return {};
    }

    Result<> allocate(std::uint64_t size) override {
        int number = 0;
        do number = ::posix_fallocate(descriptor_, 0, static_cast<off_t>(size));
        while (number == EINTR);
        if (number != 0) return failed(fmt::format("reserving {} bytes for", size), path_, number);
        return {};
    }

    Result<> truncate(std::uint64_t size) override {
        if (retry([&] { return ::ftruncate(descriptor_, static_cast<off_t>(size)); }) < 0)
            return failed("cutting", path_, errno);
        return {};
    }

    Result<std::uint64_t> size() override {
        struct stat about{};
        if (::fstat(descriptor_, &about) < 0) return failed("asking for the size of", path_, errno);
        return static_cast<std::uint64_t>(about.st_size);
    }

private:
    int descriptor_;
    fs::path path_;
};

class SystemFiles final : public Files {
public:
    Result<std::unique_ptr<File>> open(const fs::path& path, Mode mode, unsigned permissions) override {
        int flags = O_CLOEXEC;
        switch (mode) {
            case Mode::read: flags |= O_RDONLY; break;
            case Mode::read_write: flags |= O_RDWR; break;
            case Mode::create: flags |= O_RDWR | O_CREAT | O_EXCL; break;
        }
        const int descriptor = retry([&] { return ::open(path.c_str(), flags, 0600); });
        if (descriptor < 0) return failed(mode == Mode::create ? "creating" : "opening", path, errno);
        auto file = std::make_unique<SystemFile>(descriptor, path);
        if (mode == Mode::create && permissions != 0600 && ::fchmod(descriptor, permissions) < 0)
            return failed("setting the permissions of", path, errno);
        return file;
    }

    Result<std::vector<std::string>> list(const fs::path& folder) override {
        std::error_code error;
        std::vector<std::string> names;
        auto entry = fs::directory_iterator(folder, error);
        for (; !error && entry != fs::directory_iterator(); entry.increment(error))
            names.push_back(entry->path().filename().native());
        if (error) return failed("listing", folder, error.value());
        std::ranges::sort(names);
        return names;
    }

    Result<> make_folders(const fs::path& folder, unsigned mode) override {
        std::vector<fs::path> missing;
        for (auto path = fs::absolute(folder).lexically_normal(); !exists(path); path = path.parent_path())
            missing.push_back(path);
        for (auto path = missing.rbegin(); path != missing.rend(); ++path) {
            if (path->filename().empty()) continue;  // "a/b/" is "a/b"
            if (::mkdir(path->c_str(), mode) < 0 && errno != EEXIST) return failed("making the folder", *path, errno);
            if (::chmod(path->c_str(), mode) < 0) return failed("setting the permissions of", *path, errno);
            if (auto synced = sync_folder(path->parent_path()); !synced) return synced;
        }
        std::error_code ignored;
        if (!fs::is_directory(folder, ignored)) return failed("making the folder", folder, ENOTDIR);
        return {};
    }

    Result<> remove(const fs::path& path) override {
        if (::remove(path.c_str()) < 0) return failed("removing", path, errno);
        return {};
    }

    Result<> rename(const fs::path& from, const fs::path& to) override {
        if (::rename(from.c_str(), to.c_str()) < 0)
            return failed(fmt::format("renaming '{}' to", from.native()), to, errno);
        return {};
    }

    Result<> sync_folder(const fs::path& folder) override {
        const auto* name = folder.empty() ? "." : folder.c_str();
        const int descriptor = retry([&] { return ::open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
        if (descriptor < 0) return failed("opening the folder", folder, errno);
        const int outcome = retry([&] { return ::fsync(descriptor); });
        const int number = errno;
        ::close(descriptor);
        // Some file systems can't sync a folder and say EINVAL; they keep names in order by other means.
        if (outcome < 0 && number != EINVAL) return failed("syncing the folder", folder, number);
        return {};
    }

    bool exists(const fs::path& path) override {
        std::error_code ignored;
        return fs::exists(path, ignored);
    }

    Result<DiskSpace> space(const fs::path& folder) override {
        struct statvfs about{};
        if (retry([&] { return ::statvfs(folder.c_str(), &about); }) < 0)
            return failed("asking for the free space of", folder, errno);
        const auto block = static_cast<std::uint64_t>(about.f_frsize);
        return DiskSpace{about.f_blocks * block, about.f_bavail * block};
    }
};
}  // namespace

std::unique_ptr<Files> make_system_files() { return std::make_unique<SystemFiles>(); }

Result<std::string> read_file(Files& files, const fs::path& path, std::size_t limit) {
    auto file = files.open(path, Files::Mode::read);
    if (!file) return fail(file.error());
    constexpr std::size_t step = 64 * 1024;
    std::string all;
    std::string part;
    for (;;) {
        const auto got = (*file)->read_at(all.size(), step, part);
        if (!got) return fail(got.error());
        all += part;
        if (all.size() > limit)
            return fail(Errc::malformed, fmt::format("'{}' is larger than {} bytes", path.native(), limit));
        if (*got < step) return all;
    }
}

namespace {
Result<> write_whole(Files& files, const fs::path& path, std::string_view bytes, unsigned mode) {
    auto file = files.open(path, Files::Mode::create, mode);
    if (!file) return fail(file.error());
    if (auto written = (*file)->write_at(0, bytes); !written) return written;
    return (*file)->sync_data();
}
}  // namespace

Result<> replace_file(Files& files, const fs::path& path, std::string_view bytes, unsigned mode) {
    auto beside = path;
    beside += ".new";
    if (files.exists(beside)) {  // left by a crash
        if (auto removed = files.remove(beside); !removed) return removed;
    }
    auto done = write_whole(files, beside, bytes, mode);
    if (done) done = files.rename(beside, path);
    if (!done) {
        if (files.exists(beside)) (void)files.remove(beside);
        return done;
    }
    return files.sync_folder(path.parent_path());
}

}  // namespace skerry::storage
