// A disk in memory that forgets: everything unsynced may be gone, or torn, after the power was cut.
//
// Promises: what was synced (contents by sync_data, names by sync_folder) survives; of the rest, a choice by the seed:
//           nothing, the first changes with the last one torn at a byte, or any sectors of them. Names
//           that were not synced come back in the order of a journal: the first few of them. The same seed and the
//           same operations give the same disk.
// Threads:  one.
#pragma once

#include "storage/files.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::sim {

class Disk final : public storage::Files {
public:
    explicit Disk(std::uint64_t seed, std::uint64_t capacity = std::uint64_t{1} << 40);
    ~Disk() override;

    Result<std::unique_ptr<storage::File>> open(const std::filesystem::path& path, Mode mode,
                                                unsigned permissions) override;
    Result<std::vector<std::string>> list(const std::filesystem::path& folder) override;
    Result<> make_folders(const std::filesystem::path& folder, unsigned mode) override;
    Result<> remove(const std::filesystem::path& path) override;
    Result<> rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
    Result<> sync_folder(const std::filesystem::path& folder) override;
    bool exists(const std::filesystem::path& path) override;
    Result<storage::DiskSpace> space(const std::filesystem::path& folder) override;

    // Changes and syncs so far: the points at which the power can be cut.
    [[nodiscard]] std::uint64_t operations() const { return operations_; }
    // By all writes so far, whether they were synced or not.
    [[nodiscard]] std::uint64_t bytes_written() const { return bytes_written_; }
    [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }
    // The operation of that number (the next is operations() + 1) is done in part or not at all; it and all later
    // calls fail.
    void cut_power_at(std::uint64_t operation) { cut_at_ = operation; }
    [[nodiscard]] bool is_off() const { return off_; }
    // Forgets what was not synced (cutting the power now if it is still on), and planned faults. Old files stay dead.
    void restore_power();

    // The operation of that number fails, once. A failed sync_data forgets part of what it should
    // have made durable, and the next one doesn't make up for it.
    void fail_at(std::uint64_t operation, Errc code) { failures_[operation] = code; }
    void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }

    // A file that is there and durable, and its contents for a test that damages them.
    void put(const std::filesystem::path& path, std::string bytes);
    [[nodiscard]] std::string contents(const std::filesystem::path& path) const;

private:
    struct Change {
        std::uint64_t offset{0};
        std::string bytes;
        std::optional<std::uint64_t> resize;  // instead of a write
    };
    struct Node {
        std::string now;
        std::string durable;
        std::vector<Change> pending;
    };
    using Names = std::map<std::filesystem::path, std::shared_ptr<Node>>;
    struct NameChange {
        std::filesystem::path folder;
        std::filesystem::path path;
        std::shared_ptr<Node> node;          // absent: removed
        std::filesystem::path renamed_from;  // empty: created
    };
    class OpenFile;

    [[nodiscard]] std::uint64_t below(std::uint64_t bound);
    [[nodiscard]] Result<> begin(
        const std::filesystem::path& path);  // counts an operation, and says no when it is time
    [[nodiscard]] Result<> grow(const std::filesystem::path& path, const Node& node, std::uint64_t size) const;
    [[nodiscard]] std::uint64_t used() const;
    static void apply(std::string& contents, const Change& change);
    static void apply(Names& names, const NameChange& change);
    void forget(Node& node);

    std::uint64_t state_;
    std::uint64_t capacity_;
    std::uint64_t operations_{0};
    std::uint64_t bytes_written_{0};
    std::uint64_t bytes_read_{0};
    std::uint64_t cut_at_{0};
    std::uint64_t lives_{1};
    bool off_{false};
    std::map<std::uint64_t, Errc> failures_;
    std::set<std::filesystem::path> folders_;
    Names names_;
    Names durable_names_;
    std::vector<NameChange> pending_names_;
};

}  // namespace skerry::sim
