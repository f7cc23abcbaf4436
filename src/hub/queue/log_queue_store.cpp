#include "hub/queue/log_queue_store.hpp"

#include "base/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace skerry::hub {

using namespace std::chrono_literals;

namespace {
constexpr auto retry_delay = 1s;
constexpr std::uint64_t largest_share = 4;  // of a small disk, as its reserve
constexpr auto sweep_interval = 30s;
constexpr auto least_sweep_interval = 1s;  // when the budget is used up
constexpr std::uint64_t smallest_reserve = 64 * 1024 * 1024;
constexpr std::size_t counted_at_once = 256 * 1024;

constexpr std::uint8_t kind(RecordKind of) { return static_cast<std::uint8_t>(of); }
}  // namespace

Task<Result<std::unique_ptr<QueueStore>>> QueueStore::open(storage::Files& files, std::filesystem::path folder,
                                                           storage::LogWorkers workers, Clock& clock, Executor executor,
                                                           QueueLimits limits) {
    const auto boot = co_await workers.writing.run([&] { return read_boot_id(files); });
    auto store = std::make_unique<LogQueueStore>(clock, executor, limits, boot);
    if (auto recovered = co_await store->recover(files, std::move(folder), workers); !recovered)
        co_return fail(recovered.error());
    co_return store;
}

LogQueueStore::LogQueueStore(Clock& clock, Executor executor, QueueLimits limits, BootId boot)
    : clock_(clock),
      executor_(executor),
      limits_(limits),
      ages_(boot, clock),
      unsettled_(executor),
      cursors_wanted_(executor),
      segments_freed_(executor),
      sweep_wanted_(executor),
      scope_(executor) {
    cache_.limit = limits.cached;
}

LogQueueStore::~LogQueueStore() = default;

Task<Result<>> LogQueueStore::recover(storage::Files& files, std::filesystem::path folder,
                                      storage::LogWorkers workers) {
    storage::SegmentLogOptions options;
    options.segment_bytes = limits_.segment_bytes;
    const auto prepared = co_await workers.writing.run([&]() -> Result<std::uint64_t> {
        if (auto made = files.make_folders(folder, 0700); !made) return fail(made.error());
        const auto space = files.space(folder);
        if (!space) return fail(space.error());
        return std::min(std::max(smallest_reserve, space->total / 20), space->total / largest_share);
    });
    if (!prepared) co_return fail(prepared.error().while_doing("opening the queues"));
    reserve_ = *prepared;

    Recovery recovery(ages_);
    auto log = co_await storage::SegmentLog::open(files, folder, workers, executor_, options, *this, recovery);
    if (!log) co_return fail(log.error().while_doing("opening the queues"));
    log_ = std::move(*log);
    set_size_limit(limits_.bytes_on_disk);
    recovery.finish();
    co_await restore_queues(recovery);
    segments_freed_.set();
    scope_.spawn("queue cursors", keep_cursors());
    scope_.spawn("queue settling", settle());
    scope_.spawn("queue segments", remove_segments());
    scope_.spawn("queue expiry", sweep());
    scope_.spawn("queue expiry timer", time_sweeps());
    co_return Result<>{};
}

Task<> LogQueueStore::restore_queues(Recovery& recovery) {
    next_endpoint_ = recovery.next_endpoint();
    tallies_ = std::move(recovery.tallies());
    for (const auto& [number, name] : recovery.endpoints()) endpoint_of(name).number = number;
    std::map<Recovery::QueueName, std::map<LogPosition, std::uint64_t>> counted;
    for (auto& [base, parts] : recovery.parts()) {
        co_await count_part(base, parts);
        for (const auto& part : parts) counted[part.queue][base] = part.count;
    }
    std::uint64_t messages = 0;
    for (const auto& [name, recovered] : recovery.queues()) {
        auto backlog = backlog_of(recovered);
        for (const auto& [base, count] : counted[name])
            if (count > 0) backlog.by_segment[base] += count;
        auto& queue = endpoint_of(recovery.endpoints().at(name.first)).queue(name.second);
        queue.restore(recovered.cursor.high, std::move(backlog.holes), backlog.first, backlog.by_segment);
        messages += queue.length();
    }
    const auto& found = log_->recovery();
    if (recovery.unreadable() > 0) log::error("{} records of the queues can't be read.", recovery.unreadable());
    log::info("The queues hold {} messages in {} segments ({} torn, {} quarantined).", messages, found.segments,
              found.cut, found.quarantined);
}

// Counts what queues have not done of a segment of which they have done a part.
Task<> LogQueueStore::count_part(LogPosition base, std::vector<Recovery::Part>& parts) {
    const auto count = [&parts](const storage::LogRecord& record) {
        if (static_cast<RecordKind>(record.kind) != RecordKind::message) return;
        const auto head = decode_head(record.payload);
        if (!head) return;
        for (auto& part : parts)
            if (record.at >= part.from && std::ranges::any_of(head->targets, [&part](const StoredTarget& target) {
                    return part.queue == Recovery::QueueName(target.endpoint, target.priority);
                }))
                ++part.count;
    };
    // A cursor stands one byte behind the beginning of a record.
    auto at = std::ranges::min(parts, {}, &Recovery::Part::from).from - 1;
    while (at < log_->end_of(base) && log_->segment_of(at) == base) {
        const auto next = co_await log_->read(at, counted_at_once, count);
        if (!next) {
            // Too many rather than too few: what isn't there is found missing when the queue gets there.
            log::error("A part of the queues can't be counted: {}", next.error().text);
            for (auto& part : parts) part.count = part.most;
            co_return;
        }
        at = *next;
    }
}

LogEndpoint& LogQueueStore::endpoint_of(std::string_view name) {
    const auto found = endpoints_.find(name);
    if (found != endpoints_.end()) return *found->second;
    auto made = std::make_unique<LogEndpoint>(*this, std::string(name));
    return *endpoints_.emplace(std::string(name), std::move(made)).first->second;
}

EndpointQueue& LogQueueStore::endpoint(std::string_view id) { return endpoint_of(id); }

// --- messages come

// An endpoint gets its number, and the log learns it, with its first message.
Result<> LogQueueStore::number(const std::vector<QueueTarget>& targets) {
    targets_.clear();
    target_endpoints_.clear();
    for (const auto& target : targets) {
        auto& endpoint = endpoint_of(target.endpoint);
        if (endpoint.number == 0) {
            endpoint.number = next_endpoint_++;
            // As safe as the message, which comes behind it.
            auto staged = log_->stage(kind(RecordKind::endpoint), encode_endpoint({endpoint.number, endpoint.name()}),
                                      false, Durability::memory);
            if (!staged) {
                endpoint.number = 0;
                return fail(staged.error());
            }
        }
        targets_.push_back({endpoint.number, target.priority, target.time_to_live});
        target_endpoints_.push_back(&endpoint);
    }
    return {};
}

void LogQueueStore::enqueue(const storage::SegmentLog::Staged& staged, const model::SharedMessage& message,
                            const EnqueuedAt& enqueued) {
    const auto segment = log_->segment_of(staged.at);
    const auto since = ages_.since(segment, enqueued);
    Recent recent{.at = staged.at, .segment = segment, .message = message, .targets = {}, .enqueued = enqueued};
    recent.targets.reserve(targets_.size());
    for (std::size_t n = 0; n < targets_.size(); ++n) {
        const auto& target = targets_[n];
        auto& endpoint = *target_endpoints_[n];
        auto& queue = endpoint.queue(target.priority);
        tallies_.add(segment, staged.at, target, enqueued.monotonic);
        const auto life = life_of(target.time_to_live);
        const auto deadline = ages_.deadline(segment, enqueued, life.span);
        recent.targets.push_back({&endpoint, &queue, queue.era(), deadline, life.by_age, target.time_to_live});
        queue.append({staged.at, segment, deadline, message, life.by_age, since});
        endpoint.notify();
    }
    recent.open = targets_.size();
    recent_.push_back(std::move(recent));
}

// --- the log speaks

Snapshot LogQueueStore::describe() const {
    Snapshot snapshot{ages_.boot(), ages_.now(clock_), next_endpoint_, {}, {}, {}};
    for (const auto& [name, endpoint] : endpoints_) {
        if (endpoint->number == 0) continue;
        snapshot.endpoints.push_back({endpoint->number, name});
        for (const auto& [priority, queue] : endpoint->queues())
            if (queue->touched()) snapshot.cursors.push_back(queue->cursor(endpoint->number));
    }
    return snapshot;
}

std::pair<std::uint8_t, std::string> LogQueueStore::snapshot(LogPosition base) {
    ages_.segment_begins_now(base);
    auto snapshot = describe();
    snapshot.summaries = tallies_.to_tell(base, [this](LogPosition other) { return log_->end_of(other); });
    return {kind(RecordKind::snapshot), encode_snapshot(snapshot)};
}

// --- what is done

void LogQueueStore::acknowledged() {
    if (use_.take_freed()) segments_freed_.set();
    cursors_wanted_.set();
    if (++acknowledgements_ >= limits_.cursor_acknowledgements && !failing_) write_cursors();
}

void LogQueueStore::write_cursors() {
    acknowledgements_ = 0;
    cursors_wanted_.reset();
    for (const auto& [name, endpoint] : endpoints_) {
        for (const auto& [priority, queue] : endpoint->queues()) {
            if (!queue->changed || endpoint->number == 0) continue;
            queue->changed = false;
            (void)log_->stage(kind(RecordKind::cursor), encode_cursor(queue->cursor(endpoint->number)), true,
                              limits_.of_acknowledgements);
            if (limits_.of_acknowledgements != Durability::disk) settle_later();
        }
    }
}

Task<Result<>> LogQueueStore::make_cursors_durable() {
    write_cursors();
    // Records become durable in their order: one more tells of all.
    for (const auto& [name, endpoint] : endpoints_) {
        if (endpoint->number == 0 || endpoint->queues().empty()) continue;
        const auto& queue = *endpoint->queues().begin()->second;
        const auto staged = log_->stage(kind(RecordKind::cursor), encode_cursor(queue.cursor(endpoint->number)), true);
        if (!staged) co_return fail(staged.error());
        co_return co_await log_->wait(*staged);
    }
    co_return Result<>{};
}

Task<> LogQueueStore::keep_cursors() {
    for (;;) {
        co_await cursors_wanted_.wait();
        co_await clock_.sleep(failing_ ? Duration(retry_delay) : Duration(limits_.cursor_delay));
        restage();
        write_cursors();
    }
}

Task<> LogQueueStore::remove_segments() {
    for (;;) {
        co_await segments_freed_.wait();
        segments_freed_.reset();
        release_segments();
        co_await compactor_.pass();
    }
}

Task<> LogQueueStore::time_sweeps() {
    for (;;) {
        co_await clock_.sleep(sweep_interval);
        report_losses();
        sweep_wanted_.set();
    }
}

Task<> LogQueueStore::sweep() {
    for (;;) {
        co_await sweep_wanted_.wait();
        // A copy: endpoints may be added meanwhile. None is ever removed.
        std::vector<LogEndpoint*> all;
        for (const auto& [name, endpoint] : endpoints_) all.push_back(endpoint.get());
        for (auto* endpoint : all) co_await endpoint->expire();
        segments_freed_.set();
        co_await clock_.sleep(least_sweep_interval);
        sweep_wanted_.reset();
    }
}

Task<Result<>> LogQueueStore::drop(std::string_view name) {
    const auto found = endpoints_.find(name);
    if (found == endpoints_.end()) co_return Result<>{};
    const auto number = found->second->number;
    found->second->clear();
    if (use_.take_freed()) segments_freed_.set();
    if (number == 0) co_return Result<>{};
    const auto staged = log_->stage(kind(RecordKind::drop), encode_drop(number), true);
    if (!staged) co_return fail(staged.error());
    co_return co_await log_->wait(*staged);
}

std::vector<QueueStatus> LogQueueStore::status() const {
    std::vector<QueueStatus> all;
    const auto now = clock_.steady();
    for (const auto& [name, endpoint] : endpoints_) {
        const bool in_use = endpoint->number != 0;
        for (const auto& [priority, queue] : endpoint->queues()) {
            QueueStatus status{name,          priority,         queue->length(), queue->expired(),
                               queue->aged(), queue->dropped(), in_use,          {}};
            if (const auto oldest = queue->oldest()) status.oldest = now - *oldest;
            if (in_use || status.given_up() > 0) all.push_back(std::move(status));
        }
    }
    return all;
}

void LogQueueStore::sync_begins() { sync_began_ = clock_.steady(); }

void LogQueueStore::synced(std::uint64_t records, std::uint64_t bytes) {
    figures_.sync_seconds.observe(std::chrono::duration<double>(clock_.steady() - sync_began_).count());
    figures_.group_records.observe(static_cast<double>(records));
    figures_.synced_bytes += bytes;
}

std::uint64_t LogQueueStore::bytes_on_disk() const { return log_->bytes_on_disk(); }

Task<> LogQueueStore::close() {
    co_await scope_.close();
    restage();
    write_cursors();
    co_await log_->close();
}

}  // namespace skerry::hub
