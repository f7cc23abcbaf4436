#include "base/log.hpp"
#include "hub/queue/log_queue_store.hpp"

#include <algorithm>

namespace skerry::hub {

namespace {
constexpr std::size_t large_chunk = 256 * 1024;  // read at once when the cache has room

struct Loading {
    bool& flag;
    Signal& changed;
    explicit Loading(bool& shared, Signal& signal) : flag(shared), changed(signal) { flag = true; }
    ~Loading() {
        flag = false;
        changed.notify();
    }
    Loading(const Loading&) = delete;
    Loading& operator=(const Loading&) = delete;
};
}  // namespace

LogEndpoint::LogEndpoint(LogQueueStore& store, std::string name)
    : store_(store), name_(std::move(name)), changed_(store.executor_) {}

Queue& LogEndpoint::queue(std::uint32_t priority) {
    auto& queue = queues_[priority];
    if (!queue) queue = std::make_unique<Queue>(priority, store_.cache_, store_.use_);
    return *queue;
}

bool LogEndpoint::ready() const {
    return std::ranges::any_of(queues_,
                               [this](const auto& each) { return each.second->has_due() || can_load(*each.second); });
}

bool LogEndpoint::can_load(const Queue& queue) const {
    if (loading_ || !queue.may_load()) return false;
    if (*queue.behind() < store_.log_->durable_end() || queue.window_empty()) return true;
    // What is not stored yet is loaded when the window has room for it; until then an acknowledgement makes some.
    const auto goes_there = [&queue](const auto& target) {
        return target.queue == &queue && target.era == queue.era();
    };
    auto recent = std::ranges::lower_bound(store_.recent_, *queue.behind(), {}, &LogQueueStore::Recent::at);
    while (recent != store_.recent_.end() && std::ranges::none_of(recent->targets, goes_there)) ++recent;
    return recent == store_.recent_.end() || queue.has_room(*recent->message);
}

void LogEndpoint::more_is_stored() {
    if (std::ranges::any_of(queues_, [](const auto& each) { return each.second->behind().has_value(); }))
        changed_.notify();
}

Task<> LogEndpoint::wait() {
    while (!ready()) co_await changed_.wait();
}

Task<Result<std::vector<Delivery>>> LogEndpoint::take(std::size_t at_most) {
    std::vector<Delivery> out;
    // Reading lets others run: begin again with the highest priority each time.
    for (bool again = true; again && out.empty();) {
        again = false;
        for (const auto& [priority, queue] : queues_) {
            queue->take(store_.clock_.steady(), at_most - out.size(), out);
            if (queue->changed) store_.acknowledged();
            if (out.size() >= at_most) break;
            if (!out.empty() || !can_load(*queue)) continue;
            if (auto loaded = co_await load(*queue); !loaded) co_return fail(loaded.error());
            again = true;
            break;
        }
    }
    co_return out;
}

// Brings more of the log into the window: a chunk of what is stored, or what is not stored yet.
Task<Result<>> LogEndpoint::load(Queue& queue) {
    const Loading loading(loading_, changed_);
    if (*queue.behind() < store_.log_->durable_end()) co_return co_await load_stored(queue);
    auto first = std::ranges::lower_bound(store_.recent_, *queue.behind(), {}, &LogQueueStore::Recent::at);
    for (; first != store_.recent_.end(); ++first) {
        const auto& recent = *first;
        for (const auto& target : recent.targets) {
            if (target.queue != &queue || target.era != queue.era()) continue;
            if (!queue.window_empty() && !queue.has_room(*recent.message)) {
                queue.caught_up_to(recent.at);
                co_return Result<>{};
            }
            const auto since = store_.ages_.since(recent.segment, recent.enqueued);
            queue.load({recent.at, recent.segment, target.deadline, recent.message, target.by_age, since});
        }
    }
    if (const auto missing = queue.caught_up(); missing > 0)
        log::error("{} messages for '{}' can't be read any more; they are given up.", missing, name_);
    co_return Result<>{};
}

Task<Result<>> LogEndpoint::load_stored(Queue& queue) {
    const auto from = *queue.behind();
    const auto era = queue.era();
    struct Found {
        LogPosition at;
        EnqueuedAt enqueued;
        std::optional<std::chrono::seconds> time_to_live;
        model::SharedMessage message;
    };
    std::vector<Found> found;
    const auto collect = [&found, endpoint = number, priority = queue.priority()](const storage::LogRecord& record) {
        if (static_cast<RecordKind>(record.kind) != RecordKind::message) return;
        const auto head = decode_head(record.payload);
        if (!head) return;
        const auto target = std::ranges::find_if(head->targets, [&](const StoredTarget& each) {
            return each.endpoint == endpoint && each.priority == priority;
        });
        if (target == head->targets.end()) return;
        if (auto message = decode_message(*head))
            found.push_back({record.at, head->enqueued, target->time_to_live, std::move(message)});
    };
    const auto chunk = store_.cache_.used + large_chunk <= store_.cache_.limit ? large_chunk : own_room;
    const auto next = co_await store_.log_->read(from, chunk, collect);
    if (!next) co_return fail(next.error().while_doing("reading the queue of '" + name_ + "'"));
    if (queue.era() != era || queue.behind() != from) co_return Result<>{};  // dropped meanwhile
    for (auto& each : found) {
        const auto segment = store_.log_->segment_of(each.at);
        const auto life = store_.life_of(each.time_to_live);
        const auto deadline = store_.ages_.deadline(segment, each.enqueued, life.span);
        const auto since = store_.ages_.since(segment, each.enqueued);
        queue.load({each.at, segment, deadline, std::move(each.message), life.by_age, since});
    }
    queue.caught_up_to(*next);
    co_return Result<>{};
}

Task<> LogEndpoint::expire() {
    for (const auto& [priority, queue] : queues_) {
        for (;;) {
            queue->expire(store_.clock_.steady());
            if (queue->changed) store_.acknowledged();
            if (!queue->window_empty() || !queue->may_load() || loading_) break;
            if (const auto loaded = co_await load(*queue); !loaded) {
                log::warn("{}", loaded.error().text);
                break;
            }
        }
    }
}

void LogEndpoint::acknowledge(const Delivery& delivery) {
    const auto queue = queues_.find(delivery.priority);
    if (queue == queues_.end()) return;
    const bool was_full = !queue->second->has_due();
    if (queue->second->finish(static_cast<LogPosition>(delivery.at)))
        store_.delivered(static_cast<LogPosition>(delivery.at));
    if (queue->second->changed) store_.acknowledged();
    if (was_full && ready()) changed_.notify();
}

void LogEndpoint::return_all() {
    for (const auto& [priority, queue] : queues_) queue->return_all();
    changed_.notify();
}

void LogEndpoint::give_back(const Delivery& delivery) {
    const auto queue = queues_.find(delivery.priority);
    if (queue == queues_.end()) return;
    queue->second->give_back(static_cast<LogPosition>(delivery.at));
    changed_.notify();
}

std::uint64_t LogEndpoint::length() const {
    std::uint64_t sum = 0;
    for (const auto& [priority, queue] : queues_) sum += queue->length();
    return sum;
}

void LogEndpoint::clear() {
    for (const auto& [priority, queue] : queues_) queue->clear();
    number = 0;
    changed_.notify();
}

}  // namespace skerry::hub
