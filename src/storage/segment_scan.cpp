#include "storage/segment_scan.hpp"

#include "storage/segment_compact.hpp"

#include <algorithm>
#include <utility>

namespace skerry::storage {

namespace fs = std::filesystem;

namespace {
Result<std::string> read_front(Files& files, const fs::path& path, std::uint64_t at_most) {
    auto file = files.open(path, Files::Mode::read);
    if (!file) return fail(file.error());
    const auto size = (*file)->size();
    if (!size) return fail(size.error());
    if (*size > largest_segment_file) return fail(Errc::malformed, "the file is too large for a segment");
    std::string bytes;
    const auto got = (*file)->read_at(0, static_cast<std::size_t>(std::min(*size, at_most)), bytes);
    if (!got) return fail(got.error());
    return bytes;
}

// How far the next segment says that the log was durable; 0 when it says nothing.
LogPosition durable_by(Files& files, const fs::path& next) {
    const auto bytes = read_front(files, next, segment_header_bytes);
    const auto header = bytes ? decode_header(*bytes) : Result<SegmentHeader>(fail(bytes.error()));
    return header ? header->durable_before : 0;
}

ScannedSegment scan_one(Files& files, const fs::path& path, LogPosition base, LogPosition durable,
                        const std::function<void(const LogRecord&)>& visit, bool& gone) {
    ScannedSegment segment{base, path.filename().native(), 0, {}, {}};
    const auto bytes = read_front(files, path, largest_segment_file);
    gone = !bytes && bytes.error().code == Errc::not_found;
    if (!bytes) {
        segment.problem = bytes.error().text;
        return segment;
    }
    segment.bytes = bytes->size();
    const auto header = decode_header(*bytes);
    if (!header && header.error().code == Errc::unsupported) {
        segment.problem = header.error().text;
        return segment;
    }
    segment.check = check_any_segment(*bytes, base, header, durable);
    for_each_of_any(*bytes, base, segment.check, visit);
    return segment;
}
}  // namespace

Result<LogScan> scan_log(Files& files, const fs::path& folder, const std::function<void(const LogRecord&)>& visit) {
    const auto names = files.list(folder);
    if (!names) return fail(names.error());
    LogScan scan;
    std::vector<std::pair<LogPosition, std::string>> found;
    for (const auto& name : *names) {
        if (const auto base = parse_segment_name(name, ".seg")) found.emplace_back(*base, name);
        if (name.find(".bad") != std::string::npos) scan.set_aside.push_back(name);
    }
    std::ranges::sort(found);
    for (std::size_t n = 0; n < found.size(); ++n) {
        const auto durable = n + 1 < found.size() ? durable_by(files, folder / found[n + 1].second) : 0;
        bool gone = false;
        auto segment = scan_one(files, folder / found[n].second, found[n].first, durable, visit, gone);
        if (!gone) scan.segments.push_back(std::move(segment));
    }
    return scan;
}

}  // namespace skerry::storage
