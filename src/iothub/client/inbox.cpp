#include "iothub/client/inbox.hpp"

#include <fmt/core.h>

#include <exception>
#include <utility>

namespace skerry::iothub {

namespace {
constexpr std::size_t most_waiting = 4096;
constexpr std::size_t most_waiting_bytes = 32 * 1024 * 1024;
}  // namespace

Result<> Inbox::push(std::string lane, Item item) {
    if (waiting_ >= most_waiting || waiting_bytes_ >= most_waiting_bytes)
        return fail(Errc::full,
                    fmt::format("the hub pushed more than {} messages or {} MiB that no handler has dealt with",
                                most_waiting, most_waiting_bytes / 1024 / 1024));
    ++waiting_;
    waiting_bytes_ += item.bytes;
    const auto at = lanes_.try_emplace(std::move(lane)).first;
    at->second.items.push_back(std::move(item));
    start(at->first, at->second);
    return {};
}

void Inbox::start(const std::string& name, Lane& lane) {
    if (!running_ || lane.busy || lane.items.empty()) return;
    lane.busy = true;
    ++busy_;
    tasks_.spawn("input " + name, run_lane(shared_from_this(), name));
}

Task<> Inbox::run_lane(std::shared_ptr<Inbox> self, std::string name) {
    struct Done {
        Inbox& inbox;
        const std::string& name;
        ~Done() {
            const auto lane = inbox.lanes_.find(name);
            lane->second.busy = false;
            if (lane->second.items.empty()) inbox.lanes_.erase(lane);
            --inbox.busy_;
            inbox.idle_.notify();
        }
    } done{*self, name};
    auto& lane = self->lanes_.at(name);
    while (self->running_ && !lane.items.empty()) {
        auto item = std::move(lane.items.front());
        lane.items.pop_front();
        --self->waiting_;
        self->waiting_bytes_ -= item.bytes;
        const auto handled = co_await handle(self, item);
        if (handled) ++self->handled_;
        if (item.link->ended.is_set()) continue;  // comes again: too late for an answer
        if (!handled && item.may_be_left && handled.error().code == Errc::closed) {
            item.link->left_out = true;  // the hub keeps it until the connection ends
            continue;
        }
        if (!handled) {
            item.link->handler_failed = true;
            item.link->end(handled.error());
        } else if (item.id != 0) {
            item.link->put(codec::mqtt::Puback{item.id});
        }
    }
}

Task<Result<>> Inbox::handle(std::shared_ptr<Inbox> self, Item& item) {
    try {
        co_return co_await item.work();
    } catch (const std::exception& thrown) {
        if (self->closed_) throw;
        co_return fail(Errc::internal, fmt::format("the handler of a pushed message threw: {}", thrown.what()));
    }
}

void Inbox::resume() {
    running_ = true;
    for (auto& [name, lane] : lanes_) start(name, lane);
}

void Inbox::forget_waiting() {
    for (auto lane = lanes_.begin(); lane != lanes_.end();) {
        lane->second.items.clear();
        lane = lane->second.busy ? std::next(lane) : lanes_.erase(lane);
    }
    waiting_ = 0;
    waiting_bytes_ = 0;
}

Task<> Inbox::idle() {
    while (busy_ > 0) co_await idle_.wait();
}

void Inbox::cancel() {
    closed_ = true;
    pause();
    tasks_.cancel();
}

Task<> Inbox::close() {
    cancel();
    co_await tasks_.close();
    forget_waiting();
}

}  // namespace skerry::iothub
