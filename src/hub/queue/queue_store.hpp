// The durable queues of the hub, over one segment log: the line between "acked" and "will be delivered".
//
// Promises: append() returns once the message is as safe as the strongest of its targets asks (`disk`: it would survive
//           power loss), or was acknowledged by all its consumers, with one write for all the queues it goes to;
//           appends that run at the same time share one sync. Delivery does not wait for that. `os` and `memory`
//           reach the disk as well, a second later or with whatever needs it; when the disk refuses what was promised
//           already, it is kept in memory and written as soon as the disk takes it; nothing more is promised before
//           that. In order and at least once per (endpoint, priority); an expired message is never delivered. After a
//           crash each queue resumes at its durable cursor: what was acked long enough ago does not come back. Nothing
//           is lost silently: what a limit drops is counted, and logged once a minute.
// Bounds:   bytes on disk (QueueLimits); memory holds at most `cached` bytes of messages, 64 KiB more per queue, and
//           what waits to be written (8 MiB; append() waits then) or synced (one segment, 8 MiB at most), also while
//           the disk refuses it; the rest is read back. 4096 in flight per queue.
// Threads:  the loop's; files are touched on the workers.
#pragma once

#include "base/clock.hpp"
#include "base/durability.hpp"
#include "base/event.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "metrics/histogram.hpp"
#include "model/message.hpp"
#include "storage/files.hpp"
#include "storage/log_workers.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::hub {

enum class Offset : std::uint64_t {};

// Priority 0 is served first; this one is the default of a route (edge-hub.md 4.9).
inline constexpr std::uint32_t default_priority = 2'000'000'000;

struct QueueTarget {
    std::string endpoint;  // "iothub" or "<device>/<module>/<input>"
    std::uint32_t priority{default_priority};
    std::optional<std::chrono::seconds> time_to_live;  // absent: for ever
    Durability durability{Durability::disk};           // the strongest of a message's targets holds
};

struct Delivery {
    Offset at;
    std::uint32_t priority;
    model::SharedMessage message;
};

// What happens to a message that there is no room for.
enum class FullPolicy : std::uint8_t {
    refuse,
    // The oldest of the lowest priority make room for it, as far as they are not in flight, and no more important.
    drop_oldest,
};

struct QueueLimits {
    // Of which one segment is for what frees space. 0: the disk less a reserve (the larger of 5 % and 64 MB, but a
    // quarter of it at most).
    std::uint64_t bytes_on_disk{0};
    FullPolicy when_full{FullPolicy::refuse};
    std::optional<std::chrono::seconds> greatest_age;  // what is older is dropped, whatever its time to live
    Durability of_acknowledgements{Durability::disk};  // less: they are not synced for their own sake
    std::size_t cached{4 * 1024 * 1024};
    std::uint64_t segment_bytes{4 * 1024 * 1024};
    // What is acknowledged is durable after so many acknowledgements, or so long, whichever comes first.
    std::size_t cursor_acknowledgements{1000};
    std::chrono::milliseconds cursor_delay{100};
    std::chrono::milliseconds settle_delay{1000};  // in which what is `os` is synced and what is `memory` written
};

struct QueueStatus {
    std::string endpoint;
    std::uint32_t priority;
    std::uint64_t length;
    // Since the store was opened, the messages that were given up:
    std::uint64_t expired{0};  // by their time to live
    std::uint64_t aged{0};     // by the greatest age
    std::uint64_t dropped{0};  // to make room
    bool in_use{true};         // false: its last route has gone, only what was counted is left
    // How long the first of them has waited. Absent: there is none, or after a restart nobody has read it yet, which
    // takes half a minute at most.
    std::optional<Duration> oldest;

    [[nodiscard]] std::uint64_t given_up() const { return expired + aged + dropped; }
};

// What storing took, since the store was opened.
struct StoreFigures {
    static constexpr std::array record_bounds{1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0};
    static constexpr std::array second_bounds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                              0.025,  0.05,    0.1,    0.25,  0.5,    1.0,   5.0};
    metrics::Histogram group_records{record_bounds};  // that one sync made durable: messages, and what the store notes
    metrics::Histogram sync_seconds{second_bounds};   // a write with its sync, or a sync of what was written before
    std::uint64_t synced_bytes{0};
    std::uint64_t failures{0};  // the disk refused something
};

// The queues of one endpoint, all priorities.
class EndpointQueue {
public:
    virtual ~EndpointQueue() = default;
    // The next messages that are due and not in flight, highest priority first, in order; expired ones are skipped and
    // counted. Empty when there are none.
    [[nodiscard]] virtual Task<Result<std::vector<Delivery>>> take(std::size_t at_most) = 0;
    // Waits until take() may return something new.
    [[nodiscard]] virtual Task<> wait() = 0;
    // The delivery is done, or refused for good; any order. Idempotent.
    virtual void acknowledge(const Delivery& delivery) = 0;
    // Everything in flight is due again, in its order: the consumer has gone.
    virtual void return_all() = 0;
    // One message in flight is due again, at its place.
    virtual void give_back(const Delivery& delivery) = 0;
    [[nodiscard]] virtual std::uint64_t length() const = 0;  // not yet acknowledged
};

// Hears what became of messages that were submitted, once for each, in whatever order that is known.
class StoreWaiter {
public:
    virtual ~StoreWaiter() = default;
    virtual void stored(std::uint64_t ticket, const Result<>& outcome) = 0;
};

class QueueStore {
public:
    // Recovers what is in `folder` (created when absent). A torn tail is cut, a bad segment quarantined: both logged,
    // neither an error. Errors: the folder can't be used at all.
    [[nodiscard]] static Task<Result<std::unique_ptr<QueueStore>>> open(storage::Files& files,
                                                                        std::filesystem::path folder,
                                                                        storage::LogWorkers workers, Clock& clock,
                                                                        Executor executor, QueueLimits limits);
    virtual ~QueueStore() = default;

    // Errc::full when the budget is used up, Errc::io when the disk refuses: nothing is stored then. `targets`: at
    // least one, each endpoint once. The message may be delivered before this returns.
    [[nodiscard]] virtual Task<Result<>> append(model::SharedMessage message, std::vector<QueueTarget> targets) = 0;

    // Whether submit() may be called: what waits for the disk is below its bound.
    [[nodiscard]] virtual bool has_room() const = 0;
    // As append(), but without a coroutine for each message: `waiter` is told, perhaps before this returns, unless it
    // fails.
    [[nodiscard]] virtual Result<> submit(const model::SharedMessage& message, const std::vector<QueueTarget>& targets,
                                          std::shared_ptr<StoreWaiter> waiter, std::uint64_t ticket) = 0;

    // The queue of an endpoint, made when absent. The reference lives as long as the store.
    [[nodiscard]] virtual EndpointQueue& endpoint(std::string_view id) = 0;
    // Forgets an endpoint with all its messages (its last route is gone).
    [[nodiscard]] virtual Task<Result<>> drop(std::string_view endpoint) = 0;

    // QueueLimits::bytes_on_disk from now on. What is stored stays when there is too much of it.
    virtual void set_size_limit(std::uint64_t bytes) = 0;

    [[nodiscard]] virtual std::vector<QueueStatus> status() const = 0;
    [[nodiscard]] virtual std::uint64_t bytes_on_disk() const = 0;
    [[nodiscard]] virtual const StoreFigures& figures() const = 0;
    // Makes cursors durable and stops. Nothing else may be called afterwards.
    [[nodiscard]] virtual Task<> close() = 0;
};

}  // namespace skerry::hub
