#include "hub/queue/compactor.hpp"

#include "base/log.hpp"
#include "hub/queue/log_queue_store.hpp"
#include "storage/segment_compact.hpp"
#include "storage/segment_disk.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace skerry::hub {

namespace {
constexpr std::size_t newest_left_alone = 4;
constexpr std::size_t enough_small_ones = 8;
constexpr std::uint64_t least_bytes = 4096;  // below that there is nothing to gain
constexpr std::size_t looked_at_once = 256 * 1024;

// One delivery of a message that was read.
struct Target {
    LogPosition at;
    std::uint64_t bytes;
    std::int64_t monotonic;
    StoredTarget target;
};

void append(Tallies::Segment& all, const Tallies::Segment& more) {
    all.last_seen = std::max(all.last_seen, more.last_seen);
    all.messages += more.messages;
    for (const auto& queue : more.queues) {
        const auto same = std::ranges::find_if(all.queues, [&](const QueueTally& each) {
            return each.endpoint == queue.endpoint && each.priority == queue.priority;
        });
        if (same == all.queues.end()) {
            all.queues.push_back(queue);
            continue;
        }
        same->count += queue.count;
        same->last = queue.last;
    }
}
}  // namespace

Task<> Compactor::pass() {
    auto bases = store_.log_->segments();
    bases.resize(bases.size() - std::min(bases.size(), newest_left_alone));
    Run run;
    Result<> outcome;
    for (const auto base : bases) {
        if (!store_.log_->removable(base)) break;
        outcome = co_await consider(base, run);
        if (!outcome) break;
    }
    if (outcome) outcome = co_await end_run(run);
    held_.clear();
    if (!outcome) log::warn("The queues keep space on the disk that they don't need: {}", outcome.error().text);
}

// Half of what was wanted when somebody looked last, or was stored, is done: it may be worth a look.
bool Compactor::may_be_sparse(LogPosition base) const {
    const auto* const tally = store_.tallies_.find(base);
    if (!tally || (!tally->complete && !tally->wanted_when_seen)) return true;
    // One queue alone wants more than half: nothing to look for.
    std::uint64_t most = 0;
    for (const auto& [name, endpoint] : store_.endpoints_)
        for (const auto& [priority, queue] : endpoint->queues()) most = std::max(most, queue->pending_in(base));
    if (most > tally->messages / 2 && tally->messages > 0) return false;
    return store_.use_.count(base) <= tally->wanted_when_seen.value_or(tally->deliveries()) / 2;
}

bool Compactor::is_small(LogPosition base) const {
    return store_.log_->size_of(base) <= store_.log_->segment_bytes() / 8;
}

// The segment joins the run, or the run ends before it.
Task<Result<>> Compactor::consider(LogPosition base, Run& run) {
    const auto size = store_.log_->size_of(base);
    const bool small = is_small(base);
    const bool sparse = size > least_bytes && may_be_sparse(base);
    // What nobody wants is removed anyway; what is in flight will be done soon.
    if (!store_.use_.wanted(base) || (!small && !sparse) || in_flight(base)) co_return co_await end_run(run);

    held_.insert(base);
    Kept kept{base, false, {}, size, {}};
    bool frees = false;
    if (sparse) {
        const auto wanted = store_.use_.count(base);
        if (auto looked = co_await look(kept); !looked) co_return looked;
        store_.tallies_.seen(base, wanted);
        frees = kept.bytes <= size / 2;
        if (!frees && !small) {
            held_.erase(base);
            co_return co_await end_run(run);
        }
    }
    const bool fits = run.parts.empty() || (run.bytes + kept.bytes <= store_.log_->segment_bytes() &&
                                            store_.ages_.same_boot(run.parts.front().base, base));
    if (!fits)
        if (auto ended = co_await end_run(run); !ended) co_return ended;
    run.bytes += kept.bytes;
    run.frees |= frees;
    run.parts.push_back(std::move(kept));
    co_return Result<>{};
}

bool Compactor::in_flight(LogPosition base) const {
    return std::ranges::any_of(store_.endpoints_, [base](const auto& endpoint) {
        return std::ranges::any_of(endpoint.second->queues(),
                                   [base](const auto& queue) { return queue.second->has_in_flight(base); });
    });
}

// Which messages of the segment somebody has not done.
Task<Result<>> Compactor::look(Kept& kept) {
    kept.looked = true;
    kept.bytes = 0;
    std::vector<Target> targets;
    const auto collect = [&targets](const storage::LogRecord& record) {
        if (static_cast<RecordKind>(record.kind) != RecordKind::message) return;
        const auto head = decode_head(record.payload);
        if (!head) return;
        for (const auto& target : head->targets)
            targets.push_back(
                {record.at, record.next - record.at + storage::place_bytes, head->enqueued.monotonic, target});
    };
    std::map<std::pair<EndpointNumber, std::uint32_t>, const Queue*> queues;
    for (const auto& [name, endpoint] : store_.endpoints_)
        for (const auto& [priority, queue] : endpoint->queues())
            if (endpoint->number != 0) queues[{endpoint->number, priority}] = queue.get();
    const auto wants = [&](const Target& each) {
        const auto queue = queues.find({each.target.endpoint, each.target.priority});
        return queue != queues.end() && queue->second->wants(each.at, kept.base);
    };
    const auto end = store_.log_->end_of(kept.base);
    for (auto at = kept.base; at < end;) {
        targets.clear();
        const auto next = co_await store_.log_->read(at, looked_at_once, collect);
        if (!next) co_return fail(next.error());
        at = *next;
        for (auto first = targets.begin(); first != targets.end();) {
            const auto last =
                std::find_if(first, targets.end(), [&](const Target& each) { return each.at != first->at; });
            if (std::any_of(first, last, wants)) {
                kept.places.push_back(first->at);
                kept.bytes += first->bytes;
                for (auto each = first; each != last; ++each) kept.tally.add(each->at, each->target, each->monotonic);
            }
            first = last;
        }
    }
    co_return Result<>{};
}

Task<Result<>> Compactor::end_run(Run& run) {
    auto ending = std::exchange(run, {});
    Result<> done;
    if (ending.frees || ending.parts.size() >= enough_small_ones) done = co_await rewrite(ending.parts);
    for (const auto& part : ending.parts) held_.erase(part.base);
    co_return done;
}

Task<Result<>> Compactor::rewrite(std::vector<Kept>& parts) {
    storage::Compaction compaction;
    Tallies::Segment tally;
    for (auto& part : parts) {
        if (!part.looked)
            if (auto looked = co_await look(part); !looked) co_return looked;
        compaction.bases.push_back(part.base);
        compaction.keep.insert(compaction.keep.end(), part.places.begin(), part.places.end());
        tally.end = store_.log_->end_of(part.base);
        append(tally, part.tally);
    }
    // What is left out is not to be missed after a crash.
    if (auto durable = co_await store_.make_cursors_durable(); !durable) co_return durable;
    compaction.first_kind = static_cast<std::uint8_t>(RecordKind::snapshot);
    compaction.first = encode_snapshot(first_of(compaction.bases, tally));
    const auto bases = compaction.bases;
    const auto done = co_await store_.log_->compact(std::move(compaction));
    if (done) rewritten(bases, std::move(tally));
    co_return done;
}

// What the compact segment begins with.
Snapshot Compactor::first_of(const std::vector<LogPosition>& bases, const Tallies::Segment& tally) const {
    const auto base = bases.front();
    auto snapshot = store_.describe();
    snapshot.boot = store_.ages_.boot_of(base);
    if (snapshot.boot != store_.ages_.boot()) snapshot.taken.monotonic = store_.ages_.latest(base, tally.last_seen);
    snapshot.summaries = store_.tallies_.told_by(bases, [this](auto other) { return store_.log_->end_of(other); });
    snapshot.summaries.push_back({base, tally.end, tally.last_seen, tally.queues, tally.messages});
    return snapshot;
}

void Compactor::rewritten(const std::vector<LogPosition>& bases, Tallies::Segment tally) {
    const std::vector<LogPosition> gone(bases.begin() + 1, bases.end());
    for (const auto& [name, endpoint] : store_.endpoints_)
        for (const auto& [priority, queue] : endpoint->queues()) queue->merge_segments(gone, bases.front());
    for (const auto base : gone) store_.ages_.segment_removed(base);
    tally.wanted_when_seen = store_.use_.count(bases.front());
    store_.tallies_.compacted(bases, std::move(tally));
}

}  // namespace skerry::hub
