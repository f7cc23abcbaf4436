// A message's way from submitted to safe, and what becomes of it when the disk refuses.
#include "base/log.hpp"
#include "hub/queue/log_queue_store.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace skerry::hub {

using namespace std::chrono_literals;

namespace {
constexpr std::size_t kept_scratch = 64 * 1024;
constexpr auto failure_interval = 1min;  // between two lines in the log about the same trouble
constexpr auto message_kind = static_cast<std::uint8_t>(RecordKind::message);

struct Answer final : StoreWaiter {
    explicit Answer(Executor executor) : known(std::move(executor)) {}
    void stored(std::uint64_t, const Result<>& told) override {
        outcome = told;
        known.set();
    }
    Result<> outcome;
    Event known;
};

Durability strongest(const std::vector<QueueTarget>& targets) {
    return std::ranges::max(targets, {}, &QueueTarget::durability).durability;
}
}  // namespace

Task<Result<>> LogQueueStore::append(model::SharedMessage message, std::vector<QueueTarget> targets) {
    if (!log_->has_room()) co_await log_->room();
    const auto answer = std::make_shared<Answer>(executor_);
    if (auto submitted = submit(message, targets, answer, 0); !submitted) co_return submitted;
    message.reset();
    co_await answer->known.wait();
    co_return answer->outcome;
}

Result<> LogQueueStore::submit(const model::SharedMessage& message, const std::vector<QueueTarget>& targets,
                               std::shared_ptr<StoreWaiter> waiter, std::uint64_t ticket) {
    if (auto staged = stage(message, targets); !staged) return staged;
    auto& recent = recent_.back();
    recent.waiter = std::move(waiter);
    recent.ticket = ticket;
    if (recent.durability == Durability::memory) tell(recent, {});
    return {};
}

Result<> LogQueueStore::stage(const model::SharedMessage& message, const std::vector<QueueTarget>& targets) {
    if (!homeless_.empty()) restage();
    auto durability = strongest(targets);
    // No promise before the disk has kept its own: what was promised already, and is held in memory, must stay bounded.
    if (failing_) durability = Durability::disk;
    if (auto numbered = number(targets); !numbered) return numbered;
    const auto enqueued = ages_.now(clock_);
    scratch_.clear();
    encode_message(scratch_, enqueued, targets_, *message);
    if (auto room = check_budget(scratch_.size(), targets); !room) return room;
    const auto staged = log_->stage(message_kind, scratch_, false, durability);
    if (scratch_.capacity() > kept_scratch) scratch_ = {};
    if (!staged) return fail(staged.error());
    enqueue(*staged, message, enqueued);
    recent_.back().durability = durability;
    if (durability != Durability::disk) settle_later();
    return {};
}

void LogQueueStore::settle_later() {
    if (!unsettled_.is_set()) unsettled_.set();
}

Task<> LogQueueStore::settle() {
    for (;;) {
        co_await unsettled_.wait();
        co_await clock_.sleep(limits_.settle_delay);
        unsettled_.reset();
        log_->settle();
    }
}

// --- what the log says

void LogQueueStore::tell(Recent& recent, const Result<>& outcome) {
    recent.promised = outcome.has_value();
    if (const auto waiter = std::exchange(recent.waiter, nullptr)) waiter->stored(recent.ticket, outcome);
}

void LogQueueStore::stored(LogPosition end, Durability as) {
    if (as != Durability::disk) {
        auto recent = std::ranges::lower_bound(recent_, written_before_, {}, &Recent::at);
        for (; recent != recent_.end() && recent->at < end; ++recent)
            if (recent->durability != Durability::disk) tell(*recent, {});
        written_before_ = end;
        return;
    }
    if (std::exchange(failing_, false)) log::info("Messages are stored again");
    while (!recent_.empty() && recent_.front().at < end) {
        auto recent = std::move(recent_.front());
        recent_.pop_front();
        tell(recent, {});
    }
    for (const auto& [name, endpoint] : endpoints_) endpoint->more_is_stored();
    const auto segment = log_->segment_of(end - 1);
    if (std::exchange(durable_segment_, segment) != segment) segments_freed_.set();  // older ones may go now
}

// A message that all its consumers have acknowledged is safe, wherever it is.
void LogQueueStore::delivered(LogPosition at) {
    if (at < log_->durable_end()) return;
    const auto recent = std::ranges::lower_bound(recent_, at, {}, &Recent::at);
    if (recent == recent_.end() || recent->at != at || recent->open == 0) return;
    if (--recent->open == 0) tell(*recent, {});
}

void LogQueueStore::refused(LogPosition, const Error& error) {
    note_failure(error);
    auto lost = std::exchange(recent_, {});
    auto priority = default_priority;
    for (auto& recent : lost) {
        tallies_.give_up(recent.segment);
        std::erase_if(recent.targets, [&recent](const RecentTarget& target) {
            return target.era != target.queue->era() || !target.queue->withdraw(recent.at, recent.segment);
        });
        for (const auto& target : recent.targets) priority = std::min(priority, target.queue->priority());
    }
    const bool has_room = error.code == Errc::full && limits_.when_full == FullPolicy::drop_oldest &&
                          make_room(log_->growth(1), priority);
    for (auto& recent : lost) {
        if (!recent.targets.empty() && (recent.promised || has_room))
            homeless_.push_back(std::move(recent));
        else if (!recent.promised)
            tell(recent, fail(error));
    }
    if (has_room) restage();
}

void LogQueueStore::note_failure(const Error& error) {
    const auto now = clock_.steady();
    ++figures_.failures;
    if (!failing_ || now - failure_told_ >= failure_interval) {
        failure_told_ = now;
        log::error("Messages can't be stored: {}", error.text);
    }
    if (error.code == Errc::full) sweep_wanted_.set();
    // Cursors may have been among what was lost.
    for (const auto& [name, endpoint] : endpoints_)
        for (const auto& [priority, queue] : endpoint->queues()) queue->changed |= queue->touched();
    failing_ = true;
    cursors_wanted_.set();
}

// They had a place in the log that is void now, and get a new one, in their order and before any other.
void LogQueueStore::restage() {
    for (auto& message : std::exchange(homeless_, {})) {
        targets_.clear();
        target_endpoints_.clear();
        for (const auto& target : message.targets) {
            if (target.era != target.queue->era()) continue;  // dropped meanwhile
            targets_.push_back({target.endpoint->number, target.queue->priority(), target.time_to_live});
            target_endpoints_.push_back(target.endpoint);
        }
        scratch_.clear();
        encode_message(scratch_, message.enqueued, targets_, *message.message);
        const auto staged = targets_.empty() ? fail(Errc::not_found, "its queues are gone")
                                             : log_->stage(message_kind, scratch_, false, message.durability);
        if (!staged) {
            log::warn("A message that the disk refused is given up: {}", staged.error().text);
            if (!message.promised) tell(message, fail(staged.error()));
            continue;
        }
        enqueue(*staged, message.message, message.enqueued);
        auto& recent = recent_.back();
        recent.waiter = std::move(message.waiter);
        recent.ticket = message.ticket;
        recent.durability = message.durability;
        recent.promised = message.promised;
        if (recent.durability != Durability::disk) settle_later();
    }
}

}  // namespace skerry::hub
