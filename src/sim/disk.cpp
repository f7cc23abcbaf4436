#include "sim/disk.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::sim {

namespace fs = std::filesystem;

namespace {
constexpr std::size_t sector = 512;

Error error_at(Errc code, std::string_view what, const fs::path& path) {
    return Error{code, fmt::format("{} '{}' (simulated)", what, path.native())};
}
}  // namespace

class Disk::OpenFile final : public storage::File {
public:
    OpenFile(Disk& disk, std::shared_ptr<Node> node, fs::path path)
        : disk_(disk), node_(std::move(node)), path_(std::move(path)), life_(disk.lives_) {}

    Result<std::size_t> read_at(std::uint64_t offset, std::size_t count, std::string& out) override {
        if (auto alive = check(); !alive) return fail(alive.error());
        const auto size = node_->now.size();
        out = offset >= size ? std::string() : node_->now.substr(static_cast<std::size_t>(offset), count);
        disk_.bytes_read_ += out.size();
        return out.size();
    }

    Result<> write_at(std::uint64_t offset, std::string_view bytes) override {
        if (auto alive = check(); !alive) return alive;
        if (auto room = disk_.grow(path_, *node_, offset + bytes.size()); !room) return room;
        auto begun = disk_.begin(path_);
        if (begun) disk_.bytes_written_ += bytes.size();
        if (begun || disk_.off_) change({offset, std::string(bytes), std::nullopt});
        return begun;
    }

    Result<> sync_data() override {
        if (auto alive = check(); !alive) return alive;
        const auto begun = disk_.begin(path_);
        if (disk_.off_) return begun;
        if (!begun) {
            // As the kernel does: what was not written is lost, and is still what readers see.
            auto seen = node_->now;
            disk_.forget(*node_);
            node_->now = std::move(seen);
            return begun;
        }
        for (const auto& made : node_->pending) apply(node_->durable, made);
        node_->pending.clear();
        return begun;
    }

    Result<> allocate(std::uint64_t size) override { return resize(std::max<std::uint64_t>(size, node_->now.size())); }
    Result<> truncate(std::uint64_t size) override { return resize(size); }

    Result<std::uint64_t> size() override {
        if (auto alive = check(); !alive) return fail(alive.error());
        return std::uint64_t{node_->now.size()};
    }

private:
    Result<> check() const {
        if (disk_.off_ || life_ != disk_.lives_) return fail(error_at(Errc::io, "no power:", path_));
        return {};
    }
    void change(Change made) {
        apply(node_->now, made);
        node_->pending.push_back(std::move(made));
    }
    Result<> resize(std::uint64_t size) {
        if (auto alive = check(); !alive) return alive;
        if (auto room = disk_.grow(path_, *node_, size); !room) return room;
        auto begun = disk_.begin(path_);
        if (begun || disk_.off_) change({0, {}, size});
        return begun;
    }

    Disk& disk_;
    std::shared_ptr<Node> node_;
    fs::path path_;
    std::uint64_t life_;
};

Disk::Disk(std::uint64_t seed, std::uint64_t capacity) : state_(seed), capacity_(capacity) {}
Disk::~Disk() = default;

// splitmix64
std::uint64_t Disk::below(std::uint64_t bound) {
    auto z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) % bound;
}

Result<> Disk::begin(const fs::path& path) {
    if (off_) return fail(error_at(Errc::io, "no power:", path));
    ++operations_;
    if (operations_ == cut_at_) {
        off_ = true;
        return fail(error_at(Errc::io, "the power went off at", path));
    }
    if (const auto failure = failures_.find(operations_); failure != failures_.end())
        return fail(error_at(failure->second, "failure of", path));
    return {};
}

std::uint64_t Disk::used() const {
    std::uint64_t sum = 0;
    for (const auto& [path, node] : names_) sum += node->now.size();
    return sum;
}

Result<> Disk::grow(const fs::path& path, const Node& node, std::uint64_t size) const {
    if (size > node.now.size() && used() + (size - node.now.size()) > capacity_)
        return fail(error_at(Errc::full, "no space left for", path));
    return {};
}

void Disk::apply(std::string& contents, const Change& change) {
    if (change.resize) {
        contents.resize(static_cast<std::size_t>(*change.resize));
        return;
    }
    const auto end = static_cast<std::size_t>(change.offset) + change.bytes.size();
    if (contents.size() < end) contents.resize(end);
    contents.replace(static_cast<std::size_t>(change.offset), change.bytes.size(), change.bytes);
}

void Disk::apply(Names& names, const NameChange& change) {
    if (!change.renamed_from.empty()) names.erase(change.renamed_from);
    if (change.node)
        names[change.path] = change.node;
    else
        names.erase(change.path);
}

Result<std::unique_ptr<storage::File>> Disk::open(const fs::path& path, Mode mode, unsigned) {
    if (off_) return fail(error_at(Errc::io, "no power:", path));
    const auto found = names_.find(path);
    if (mode != Mode::create) {
        if (found == names_.end()) return fail(error_at(Errc::not_found, "there is no file", path));
        return std::make_unique<OpenFile>(*this, found->second, path);
    }
    if (found != names_.end()) return fail(error_at(Errc::conflict, "there is a file", path));
    if (!folders_.contains(path.parent_path())) return fail(error_at(Errc::not_found, "there is no folder for", path));
    auto begun = begin(path);
    if (!begun) return fail(begun.error());
    const NameChange made{path.parent_path(), path, std::make_shared<Node>(), {}};
    apply(names_, made);
    pending_names_.push_back(made);
    return std::make_unique<OpenFile>(*this, made.node, path);
}

Result<std::vector<std::string>> Disk::list(const fs::path& folder) {
    if (off_) return fail(error_at(Errc::io, "no power:", folder));
    if (!folders_.contains(folder)) return fail(error_at(Errc::not_found, "there is no folder", folder));
    std::vector<std::string> names;
    for (const auto& [path, node] : names_)
        if (path.parent_path() == folder) names.push_back(path.filename().native());
    for (const auto& path : folders_)
        if (path.parent_path() == folder) names.push_back(path.filename().native());
    std::ranges::sort(names);
    return names;
}

Result<> Disk::make_folders(const fs::path& folder, unsigned) {
    if (off_) return fail(error_at(Errc::io, "no power:", folder));
    for (auto path = folder; !path.empty() && folders_.insert(path).second; path = path.parent_path()) continue;
    return {};
}

Result<> Disk::remove(const fs::path& path) {
    if (!names_.contains(path)) return fail(error_at(Errc::not_found, "there is no file", path));
    if (auto begun = begin(path); !begun) return begun;
    const NameChange made{path.parent_path(), path, nullptr, {}};
    apply(names_, made);
    pending_names_.push_back(made);
    return {};
}

Result<> Disk::rename(const fs::path& from, const fs::path& to) {
    const auto found = names_.find(from);
    if (found == names_.end()) return fail(error_at(Errc::not_found, "there is no file", from));
    if (from.parent_path() != to.parent_path()) return fail(error_at(Errc::unsupported, "another folder for", from));
    if (auto begun = begin(from); !begun) return begun;
    const NameChange made{to.parent_path(), to, found->second, from};
    apply(names_, made);
    pending_names_.push_back(made);
    return {};
}

Result<> Disk::sync_folder(const fs::path& folder) {
    if (auto begun = begin(folder); !begun) return begun;
    std::erase_if(pending_names_, [&](const NameChange& change) {
        if (change.folder != folder) return false;
        apply(durable_names_, change);
        return true;
    });
    return {};
}

bool Disk::exists(const fs::path& path) { return names_.contains(path) || folders_.contains(path); }

Result<storage::DiskSpace> Disk::space(const fs::path& folder) {
    if (off_) return fail(error_at(Errc::io, "no power:", folder));
    const auto taken = used();
    return storage::DiskSpace{capacity_, capacity_ > taken ? capacity_ - taken : 0};
}

void Disk::forget(Node& node) {
    const auto manner = below(3);
    const auto kept = manner == 0 ? 0 : below(node.pending.size() + 1);
    for (std::size_t n = 0; n < node.pending.size(); ++n) {
        auto& change = node.pending[n];
        if (manner == 1 && n >= kept) {  // the first changes, the next one torn
            if (n == kept && !change.resize) {
                change.bytes.resize(static_cast<std::size_t>(below(change.bytes.size() + 1)));
                apply(node.durable, change);
            }
            break;
        }
        if (manner == 0) break;
        if (manner == 1 || change.resize) {
            if (manner == 1 || below(2) == 0) apply(node.durable, change);
            continue;
        }
        // any sectors
        for (std::size_t at = 0; at < change.bytes.size();) {
            const auto place = static_cast<std::size_t>(change.offset) + at;
            const auto count = std::min(change.bytes.size() - at, sector - place % sector);
            if (below(2) == 0) apply(node.durable, {place, change.bytes.substr(at, count), std::nullopt});
            at += count;
        }
    }
    node.pending.clear();
    node.now = node.durable;
}

void Disk::restore_power() {
    const auto kept = below(pending_names_.size() + 1);
    for (std::size_t n = 0; n < kept; ++n) apply(durable_names_, pending_names_[n]);
    pending_names_.clear();
    names_ = durable_names_;
    for (auto& [path, node] : names_) forget(*node);
    off_ = false;
    cut_at_ = 0;
    failures_.clear();
    ++lives_;
}

void Disk::put(const fs::path& path, std::string bytes) {
    (void)make_folders(path.parent_path(), 0700);
    auto& node = names_[path];
    if (!node) node = std::make_shared<Node>();
    node->now = bytes;
    node->durable = std::move(bytes);
    node->pending.clear();
    durable_names_[path] = node;
}

std::string Disk::contents(const fs::path& path) const {
    const auto found = names_.find(path);
    return found == names_.end() ? std::string() : found->second->now;
}

}  // namespace skerry::sim
