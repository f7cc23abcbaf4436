// What an inspection looks like, to people and to programs.
#include "hub/queue/inspection.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>

namespace skerry::hub {

namespace json = boost::json;

namespace {
std::string size_text(std::uint64_t bytes) {
    if (bytes < 1024) return fmt::format("{} B", bytes);
    if (bytes < 1024 * 1024) return fmt::format("{:.1f} KiB", static_cast<double>(bytes) / 1024);
    return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1024 * 1024));
}

std::string time_text(WallTime time) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

std::string age_text(const std::optional<WallTime>& time, WallTime now) {
    if (!time) return "-";
    const auto seconds = std::max<std::int64_t>(0, (now - *time) / std::chrono::seconds(1));
    if (seconds < 120) return fmt::format("{} s", seconds);
    if (seconds < 7200) return fmt::format("{} min", seconds / 60);
    if (seconds < 48 * 3600) return fmt::format("{} h", seconds / 3600);
    return fmt::format("{} d", seconds / 86400);
}

std::string priority_text(std::uint32_t priority) {
    return priority == default_priority ? "default" : std::to_string(priority);
}

std::uint64_t bytes_on_disk(const Inspection& inspection) {
    std::uint64_t sum = 0;
    for (const auto& segment : inspection.log.segments) sum += segment.bytes;
    return sum;
}

json::object queue_json(const InspectedQueue& queue) {
    json::object out{{"endpoint", queue.endpoint},
                     {"priority", queue.priority},
                     {"messages", queue.messages},
                     {"bytes", queue.bytes}};
    if (queue.oldest) out["oldest"] = time_text(*queue.oldest);
    if (queue.newest) out["newest"] = time_text(*queue.newest);
    return out;
}

json::object segment_json(const storage::ScannedSegment& segment) {
    json::object out{{"file", segment.name}, {"bytes", segment.bytes}};
    if (!segment.problem.empty()) {
        out["problem"] = segment.problem;
        return out;
    }
    out["records"] = segment.check.records;
    out["used"] = segment.check.used;
    out["compact"] = segment.check.compact;
    out["torn"] = segment.check.torn;
    json::array damage;
    for (const auto& hole : segment.check.damage)
        damage.push_back(json::object{{"offset", hole.begin - segment.base}, {"bytes", hole.end - hole.begin}});
    out["damage"] = std::move(damage);
    return out;
}
}  // namespace

std::string inspection_text(const Inspection& inspection, WallTime now) {
    auto out = fmt::format("{}: {} segments, {} on disk", inspection.folder.native(), inspection.log.segments.size(),
                           size_text(bytes_on_disk(inspection)));
    if (!inspection.log.set_aside.empty())
        out += fmt::format(", {} damaged originals set aside", inspection.log.set_aside.size());
    out += '\n';
    std::size_t width = 9;
    for (const auto& queue : inspection.queues) width = std::max(width, queue.endpoint.size() + 1);
    out += fmt::format("{:<{}} {:>8} {:>10} {:>12} {:>8} {:>8}\n", "ENDPOINT", width, "PRIORITY", "MESSAGES", "BYTES",
                       "OLDEST", "NEWEST");
    for (const auto& queue : inspection.queues)
        out += fmt::format("{:<{}} {:>8} {:>10} {:>12} {:>8} {:>8}\n", queue.endpoint, width,
                           priority_text(queue.priority), queue.messages, size_text(queue.bytes),
                           age_text(queue.oldest, now), age_text(queue.newest, now));
    if (inspection.unreadable > 0) out += fmt::format("{} records can't be read\n", inspection.unreadable);
    return out;
}

json::object inspection_json(const Inspection& inspection) {
    json::array queues;
    for (const auto& queue : inspection.queues) queues.push_back(queue_json(queue));
    json::array segments;
    for (const auto& segment : inspection.log.segments) segments.push_back(segment_json(segment));
    json::array aside;
    for (const auto& name : inspection.log.set_aside) aside.emplace_back(name);
    return {{"folder", inspection.folder.native()},
            {"queues", std::move(queues)},
            {"segments", std::move(segments)},
            {"setAside", std::move(aside)},
            {"unreadable", inspection.unreadable}};
}

Verdict verify_log(const Inspection& inspection) {
    Verdict verdict;
    std::uint64_t records = 0;
    for (const auto& segment : inspection.log.segments) {
        records += segment.check.records;
        if (!segment.problem.empty()) {
            verdict.text += fmt::format("{}: {}\n", segment.name, segment.problem);
            verdict.sound = false;
            continue;
        }
        for (const auto& hole : segment.check.damage) {
            verdict.text += fmt::format("{}: {} bytes from offset {} on are damaged\n", segment.name,
                                        hole.end - hole.begin, hole.begin - segment.base);
            verdict.sound = false;
        }
        if (segment.check.torn)
            verdict.text += fmt::format(
                "{}: what begins at offset {} was never finished, or is being written; nothing acknowledged is in it\n",
                segment.name, segment.check.used);
    }
    for (const auto& name : inspection.log.set_aside)
        verdict.text += fmt::format("{}: a damaged original that a repair set aside\n", name);
    if (inspection.unreadable > 0) {
        verdict.text += fmt::format("{} records are whole and can't be understood\n", inspection.unreadable);
        verdict.sound = false;
    }
    verdict.text += fmt::format("{}: {} segments, {} records\n", verdict.sound ? "sound" : "DAMAGED",
                                inspection.log.segments.size(), records);
    return verdict;
}

}  // namespace skerry::hub
