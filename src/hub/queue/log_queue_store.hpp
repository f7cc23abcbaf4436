// The queues over storage::SegmentLog: see queue_store.hpp for what they promise.
//
//   submit --> one record --> SegmentLog (group commit) --> the publisher's ack, unless all consumers were faster
//      |  \--> recent_: messages that are not durable yet, whole
//      '----> Queue (endpoint, priority) --take--> consumer --acknowledge--> cursor record, at the latest 100 ms later
//                 ^--load-- SegmentLog: what the window had no room for
#pragma once

#include "base/task_scope.hpp"
#include "hub/queue/age.hpp"
#include "hub/queue/compactor.hpp"
#include "hub/queue/queue.hpp"
#include "hub/queue/queue_store.hpp"
#include "hub/queue/recovery.hpp"
#include "hub/queue/tally.hpp"
#include "storage/segment_log.hpp"

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace skerry::hub {

class LogQueueStore;

// The queues of one endpoint. Lives as long as the store, also when it is dropped and used again.
class LogEndpoint final : public EndpointQueue {
public:
    LogEndpoint(LogQueueStore& store, std::string name);

    Task<Result<std::vector<Delivery>>> take(std::size_t at_most) override;
    Task<> wait() override;
    void acknowledge(const Delivery& delivery) override;
    void return_all() override;
    void give_back(const Delivery& delivery) override;
    [[nodiscard]] std::uint64_t length() const override;

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] Queue& queue(std::uint32_t priority);
    [[nodiscard]] const std::map<std::uint32_t, std::unique_ptr<Queue>>& queues() const { return queues_; }
    // Drops what has expired, also from the log.
    [[nodiscard]] Task<> expire();
    void clear();
    void notify() { changed_.notify(); }
    void more_is_stored();

    EndpointNumber number{0};  // in the log; 0: it is not there

private:
    [[nodiscard]] bool ready() const;
    // Whether load() would bring something, or find that nothing is left.
    [[nodiscard]] bool can_load(const Queue& queue) const;
    [[nodiscard]] Task<Result<>> load(Queue& queue);
    [[nodiscard]] Task<Result<>> load_stored(Queue& queue);

    LogQueueStore& store_;
    std::string name_;
    std::map<std::uint32_t, std::unique_ptr<Queue>> queues_;  // by priority, never removed
    Signal changed_;
    bool loading_{false};
};

class LogQueueStore final : public QueueStore, private storage::SegmentLog::Owner {
public:
    LogQueueStore(Clock& clock, Executor executor, QueueLimits limits, BootId boot);
    ~LogQueueStore() override;

    [[nodiscard]] Task<Result<>> recover(storage::Files& files, std::filesystem::path folder,
                                         storage::LogWorkers workers);

    Task<Result<>> append(model::SharedMessage message, std::vector<QueueTarget> targets) override;
    [[nodiscard]] bool has_room() const override { return log_->has_room(); }
    Result<> submit(const model::SharedMessage& message, const std::vector<QueueTarget>& targets,
                    std::shared_ptr<StoreWaiter> waiter, std::uint64_t ticket) override;
    EndpointQueue& endpoint(std::string_view id) override;
    Task<Result<>> drop(std::string_view endpoint) override;
    void set_size_limit(std::uint64_t bytes) override;
    std::vector<QueueStatus> status() const override;
    std::uint64_t bytes_on_disk() const override;
    const StoreFigures& figures() const override { return figures_; }
    Task<> close() override;

private:
    friend class LogEndpoint;
    friend class Compactor;
    struct RecentTarget {
        LogEndpoint* endpoint;
        Queue* queue;
        std::uint64_t era;
        SteadyTime deadline;
        bool by_age;
        std::optional<std::chrono::seconds> time_to_live;
    };
    struct Recent {
        LogPosition at;
        LogPosition segment;
        model::SharedMessage message;
        std::vector<RecentTarget> targets;
        EnqueuedAt enqueued;
        std::shared_ptr<StoreWaiter> waiter;  // null once it was told
        std::uint64_t ticket{0};
        std::size_t open{0};  // targets that have not acknowledged it
        Durability durability{Durability::disk};
        bool promised{false};  // the publisher was told that it is safe
    };
    struct Life {
        std::optional<std::chrono::seconds> span;
        bool by_age{false};  // the greatest age ends it
    };

    std::pair<std::uint8_t, std::string> snapshot(LogPosition base) override;
    void stored(LogPosition end, Durability as) override;
    void refused(LogPosition begin, const Error& error) override;
    void sync_begins() override;
    void synced(std::uint64_t records, std::uint64_t bytes) override;

    [[nodiscard]] Snapshot describe() const;  // without summaries
    [[nodiscard]] Task<> restore_queues(Recovery& recovery);
    [[nodiscard]] Task<> count_part(LogPosition base, std::vector<Recovery::Part>& parts);
    [[nodiscard]] LogEndpoint& endpoint_of(std::string_view name);
    [[nodiscard]] Result<> number(const std::vector<QueueTarget>& targets);

    // storing.cpp: from submitted to safe
    [[nodiscard]] Result<> stage(const model::SharedMessage& message, const std::vector<QueueTarget>& targets);
    void settle_later();
    void delivered(LogPosition at);
    void tell(Recent& recent, const Result<>& outcome);
    void note_failure(const Error& error);
    void restage();
    [[nodiscard]] Task<> settle();

    // budget.cpp: what may stay
    [[nodiscard]] Result<> check_budget(std::size_t payload, const std::vector<QueueTarget>& targets);
    [[nodiscard]] bool make_room(std::uint64_t bytes, std::uint32_t priority);
    [[nodiscard]] Life life_of(std::optional<std::chrono::seconds> time_to_live) const;
    void release_segments();
    void report_losses();

    void enqueue(const storage::SegmentLog::Staged& staged, const model::SharedMessage& message,
                 const EnqueuedAt& enqueued);
    void acknowledged();
    void write_cursors();
    // Everything that is done now is durable then.
    [[nodiscard]] Task<Result<>> make_cursors_durable();
    [[nodiscard]] Task<> keep_cursors();
    [[nodiscard]] Task<> remove_segments();
    [[nodiscard]] Task<> sweep();
    [[nodiscard]] Task<> time_sweeps();

    Clock& clock_;
    Executor executor_;
    QueueLimits limits_;
    std::uint64_t reserve_{0};  // of the disk, when no size is set
    Ages ages_;
    Cache cache_;
    SegmentUse use_;
    Tallies tallies_;
    std::unique_ptr<storage::SegmentLog> log_;
    Compactor compactor_{*this};

    std::map<std::string, std::unique_ptr<LogEndpoint>, std::less<>> endpoints_;  // never removed
    EndpointNumber next_endpoint_{1};
    std::deque<Recent> recent_;      // staged and not durable, in order; as much as the log lets wait
    LogPosition written_before_{0};  // whoever asked for no more was told so
    std::vector<Recent> homeless_;   // promised, and the disk has refused them: they go before anything else
    // Of the message that is being stored, so that none of them is allocated for each.
    std::string scratch_;
    std::vector<StoredTarget> targets_;
    std::vector<LogEndpoint*> target_endpoints_;

    std::size_t acknowledgements_{0};  // since cursors were written
    bool failing_{false};              // the disk has refused what was tried last
    SteadyTime failure_told_;
    SteadyTime no_room_before_;  // there was nothing to drop
    SteadyTime losses_told_;
    std::uint64_t losses_known_{0};
    LogPosition durable_segment_{0};
    StoreFigures figures_;
    SteadyTime sync_began_;
    Event unsettled_;
    Event cursors_wanted_;
    Event segments_freed_;
    Event sweep_wanted_;
    TaskScope scope_;
};

}  // namespace skerry::hub
