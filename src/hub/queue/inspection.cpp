#include "hub/queue/inspection.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

namespace skerry::hub {

namespace fs = std::filesystem;

namespace {
// Follows the log's records to what is not done, as the hub does when it starts.
class Reader {
public:
    void visit(const storage::LogRecord& record) {
        if (!read_record(record, *this)) ++unreadable_;
    }

    void on_message(const storage::LogRecord& record, const MessageHead& head) {
        for (const auto& target : head.targets)
            queues_[{target.endpoint, target.priority}].push_back(
                {record.at, record.next - record.at, head.enqueued.wall});
    }
    void on_snapshot(const Snapshot& snapshot) {
        endpoints_.clear();
        for (const auto& endpoint : snapshot.endpoints) on_endpoint(endpoint);
        for (const auto& cursor : snapshot.cursors) on_cursor(cursor);
    }
    void on_endpoint(const EndpointName& endpoint) { endpoints_[endpoint.number] = endpoint.name; }
    void on_cursor(const Cursor& cursor) {
        auto& pending = queues_[{cursor.endpoint, cursor.priority}];
        std::erase_if(pending, [&cursor](const Message& message) {
            return message.at < cursor.high && !std::ranges::binary_search(cursor.holes, message.at);
        });
    }
    void on_drop(EndpointNumber endpoint) {
        std::erase_if(queues_, [&](const auto& queue) { return queue.first.first == endpoint; });
        endpoints_.erase(endpoint);
    }

    [[nodiscard]] std::uint64_t unreadable() const { return unreadable_; }

    [[nodiscard]] std::vector<InspectedQueue> queues() const {
        std::vector<InspectedQueue> out;
        for (const auto& [name, pending] : queues_) {
            const auto endpoint = endpoints_.find(name.first);
            if (endpoint == endpoints_.end()) continue;
            InspectedQueue queue{endpoint->second, name.second, pending.size(), 0, {}, {}};
            for (const auto& message : pending) {
                queue.bytes += message.bytes;
                const WallTime came{
                    std::chrono::duration_cast<WallTime::duration>(std::chrono::nanoseconds(message.wall))};
                queue.oldest = std::min(queue.oldest.value_or(came), came);
                queue.newest = std::max(queue.newest.value_or(came), came);
            }
            out.push_back(std::move(queue));
        }
        std::ranges::sort(out, {}, [](const auto& queue) { return std::pair(queue.endpoint, queue.priority); });
        return out;
    }

private:
    struct Message {
        LogPosition at;
        std::uint64_t bytes;
        std::int64_t wall;
    };
    using Pending = std::deque<Message>;

    std::map<EndpointNumber, std::string> endpoints_;
    std::map<std::pair<EndpointNumber, std::uint32_t>, Pending> queues_;
    std::uint64_t unreadable_{0};
};
}  // namespace

Result<fs::path> find_queues(storage::Files& files, const fs::path& place) {
    for (const auto* below : {"", "queue", "edgeHub/queue", "edgeHub/edgeHub/queue", "storage/edgeHub/edgeHub/queue"}) {
        const auto folder = *below == '\0' ? place : place / below;
        const auto names = files.list(folder);
        if (names && std::ranges::any_of(*names, [](const auto& name) { return name.ends_with(".seg"); }))
            return folder;
    }
    return fail(Errc::not_found, "there are no queues in '" + place.native() +
                                     "': name the hub's StorageFolder, or the daemon's home (as one who may read it)");
}

Result<Inspection> inspect_queues(storage::Files& files, const fs::path& folder) {
    Reader reader;
    auto log = storage::scan_log(files, folder, [&](const storage::LogRecord& record) { reader.visit(record); });
    if (!log) return fail(log.error());
    return Inspection{folder, std::move(*log), reader.queues(), reader.unreadable()};
}

}  // namespace skerry::hub
