#include "daemon/image_use.hpp"

#include "base/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace skerry::daemon {

using namespace std::chrono_literals;

namespace {
constexpr std::size_t most_images = 10'000;
constexpr std::size_t longest_id = 200;
// The first of 2020: a clock that says less was not set.
constexpr std::int64_t oldest_sane_time = 1'577'836'800;
}  // namespace

ImageUse::ImageUse(storage::Files& files, Clock& clock, const std::filesystem::path& home)
    : files_(files), clock_(clock), path_(home / "gc" / "image_use"), started_(clock.steady()) {
    read();
}

void ImageUse::read() {
    const auto text = storage::read_file(files_, path_);
    if (!text && text.error().code == Errc::not_found) return;
    if (!text) return log::warn("which images were used when is not known any more: {}", text.error().text);
    std::string_view rest = *text;
    while (!rest.empty() && uses_.size() < most_images) {
        const auto end = std::min(rest.find('\n'), rest.size());
        const auto line = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        const auto space = line.find(' ');
        if (space == line.npos || space == 0 || space > longest_id) continue;
        Use use;
        const auto* const last = line.data() + line.size();
        const auto [stop, failed] = std::from_chars(line.data() + space + 1, last, use.time);
        if (failed == std::errc{} && stop == last) uses_[std::string(line.substr(0, space))] = use;
    }
}

void ImageUse::write() {
    std::string text;
    for (auto& [id, use] : uses_) {
        // By what the wall clock says now: it may have been set since.
        if (use.steady) use.time = unix_seconds(clock_.wall() - (clock_.steady() - *use.steady));
        text += fmt::format("{} {}\n", id, use.time);
    }
    auto written = files_.make_folders(path_.parent_path(), 0700);
    if (written) written = storage::replace_file(files_, path_, text);
    if (!written) log::warn("when images were used can't be kept: {}", written.error().text);
}

void ImageUse::pulled(const std::string& id) {
    if (id.empty() || id.size() > longest_id || id.find_first_of(" \n") != id.npos) return;
    if (uses_.size() >= most_images && !uses_.contains(id)) return;
    uses_[id].steady = clock_.steady();
    write();
}

void ImageUse::used(const std::string& id) {
    if (uses_.contains(id)) pulled(id);
}

void ImageUse::forget(const std::string& id) {
    if (uses_.erase(id) > 0) write();
}

Duration ImageUse::age(const Use& use) const {
    if (use.steady) return clock_.steady() - *use.steady;
    const auto now = unix_seconds(clock_.wall());
    if (use.time < oldest_sane_time || use.time > now) return clock_.steady() - started_;
    return std::chrono::seconds(now - use.time);
}

std::vector<std::string> ImageUse::unused_for(Duration threshold, Duration seen) const {
    std::vector<std::string> out;
    for (const auto& [id, use] : uses_)
        if (age(use) >= threshold && clock_.steady() - use.steady.value_or(started_) >= seen) out.push_back(id);
    return out;
}

std::vector<std::string> ImageUse::all() const {
    std::vector<std::string> out;
    for (const auto& [id, use] : uses_) out.push_back(id);
    return out;
}

}  // namespace skerry::daemon
