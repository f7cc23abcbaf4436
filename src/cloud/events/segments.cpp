#include "cloud/events/segments.hpp"

#include "base/log.hpp"
#include "cloud/events/lines.hpp"

#include <fmt/format.h>

#include <charconv>

namespace skerry::cloud {

namespace {
constexpr std::string_view name_prefix = "events-";
constexpr std::string_view name_suffix = ".log";
constexpr std::size_t name_digits = 20;
}  // namespace

std::string segment_name(std::uint64_t first_sequence) {
    return fmt::format("{}{:020}{}", name_prefix, first_sequence, name_suffix);
}

std::optional<std::uint64_t> parse_segment_name(std::string_view name) {
    if (name.size() != name_prefix.size() + name_digits + name_suffix.size() || !name.starts_with(name_prefix) ||
        !name.ends_with(name_suffix))
        return std::nullopt;
    const auto digits = name.substr(name_prefix.size(), name_digits);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || end != digits.data() + digits.size() || number == 0) return std::nullopt;
    return number;
}

Result<std::unique_ptr<Segments>> Segments::open(storage::Files& files, std::filesystem::path folder,
                                                 EventLogLimits limits) {
    std::unique_ptr<Segments> segments(new Segments(files, std::move(folder), limits));
    if (auto recovered = segments->recover(); !recovered)
        return fail(recovered.error().while_doing("opening the event log"));
    return segments;
}

Result<> Segments::recover() {
    if (auto made = files_.make_folders(folder_, 0700); !made) return made;
    const auto names = files_.list(folder_);
    if (!names) return fail(names.error());
    for (const auto& name : *names) {  // sorted, and the numbers have leading zeros
        const auto first = parse_segment_name(name);
        if (!first) continue;
        auto file = files_.open(folder_ / name, storage::Files::Mode::read);
        if (!file) return fail(file.error());
        const auto bytes = (*file)->size();
        if (!bytes) return fail(bytes.error());
        // The first event of a segment is newer than all of the one before: close enough for the age.
        LineReader reader(std::move(*file), 0);
        const auto line = reader.next();
        if (!line) return fail(line.error());
        const auto oldest = *line ? (*line)->head.enqueued : WallTime{};
        if (!segments_.empty() && *line) segments_.back().newest = oldest;
        segments_.push_back({*first, *bytes, oldest});
    }
    if (segments_.empty()) return {};
    return recover_last(segments_.back());
}

Result<> Segments::recover_last(Segment& segment) {
    const auto path = folder_ / segment_name(segment.first);
    auto reading = files_.open(path, storage::Files::Mode::read);
    if (!reading) return fail(reading.error());
    LineReader reader(std::move(*reading), 0);
    std::uint64_t good_end = 0;
    next_sequence_ = segment.first;
    for (;;) {
        const auto line = reader.next();
        if (!line) return fail(line.error());
        if (!*line) break;
        good_end = (*line)->end;
        next_sequence_ = std::max(next_sequence_, (*line)->head.sequence + 1);
        segment.newest = (*line)->head.enqueued;
    }
    auto writing = files_.open(path, storage::Files::Mode::read_write);
    if (!writing) return fail(writing.error());
    if (good_end < segment.bytes) {
        log::warn("event log: cutting {} bytes of an unfinished write off '{}'", segment.bytes - good_end,
                  path.native());
        if (auto cut = (*writing)->truncate(good_end); !cut) return cut;
        if (auto synced = (*writing)->sync_data(); !synced) return synced;
        segment.bytes = good_end;
    }
    if (reader.skipped() > 0)
        log::warn("event log: '{}' has {} damaged lines; they are skipped", path.native(), reader.skipped());
    current_ = std::move(*writing);
    return {};
}

Result<> Segments::begin_segment(std::uint64_t sequence) {
    current_.reset();
    const auto path = folder_ / segment_name(sequence);
    auto file = files_.open(path, storage::Files::Mode::create);
    if (!file) return fail(file.error());
    if (auto synced = files_.sync_folder(folder_); !synced) {
        if (auto removed = files_.remove(path); !removed) log::error("event log: {}", removed.error().text);
        return synced;
    }
    segments_.push_back({sequence, 0, {}});
    current_ = std::move(*file);
    return {};
}

Result<> Segments::append(std::uint64_t sequence, std::string_view lines, WallTime now) {
    const bool full =
        current_ && segments_.back().bytes > 0 && segments_.back().bytes + lines.size() > limits_.segment_bytes;
    if (!current_ || full) {
        if (auto begun = begin_segment(sequence); !begun) return begun;
        trim(now);
    }
    auto& segment = segments_.back();
    auto written = current_->write_at(segment.bytes, lines);
    if (written) written = current_->sync_data();
    if (!written) {
        give_up_on_current();
        return written;
    }
    segment.bytes += lines.size();
    segment.newest = now;
    if (segments_.size() > 1 && segments_.front().newest + limits_.age < now) trim(now);
    return {};
}

// After a failed sync nobody knows what is on disk: what was good before stays, the next append begins a new file.
void Segments::give_up_on_current() {
    const auto& segment = segments_.back();
    const auto undone =
        segment.bytes > 0 ? current_->truncate(segment.bytes) : files_.remove(folder_ / segment_name(segment.first));
    if (!undone) log::error("event log: {}", undone.error().text);
    if (segment.bytes == 0) segments_.pop_back();
    current_.reset();
}

void Segments::trim(WallTime now) {
    std::uint64_t total = 0;
    for (const auto& segment : segments_) total += segment.bytes;
    while (segments_.size() > 1) {
        const auto& oldest = segments_.front();
        const bool too_much = total + limits_.segment_bytes > limits_.bytes;
        if (!too_much && oldest.newest + limits_.age >= now) return;
        if (auto removed = files_.remove(folder_ / segment_name(oldest.first)); !removed) {
            log::error("event log: {}", removed.error().text);
            return;
        }
        total -= oldest.bytes;
        segments_.erase(segments_.begin());
    }
}

}  // namespace skerry::cloud
