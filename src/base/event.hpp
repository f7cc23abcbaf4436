// Waiting without polling: Signal wakes whoever waits now, Event stays set until reset, Mailbox is a bounded queue.
// Threads: the loop's thread only. All may be destroyed while somebody waits; the waiter then sees a cancellation.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"

#include <cstddef>
#include <deque>
#include <memory>
#include <utility>

namespace skerry {

// Lets everything run that is ready on the caller's loop.
[[nodiscard]] Task<> next_turn();

class Signal {
public:
    explicit Signal(Executor executor);
    ~Signal();
    Signal(Signal&&) noexcept;
    Signal& operator=(Signal&&) noexcept;

    // Waits for the next notify(). A notify() with nobody waiting is lost: check your condition first, in a loop.
    [[nodiscard]] Task<> wait();
    void notify();

private:
    struct State;
    std::shared_ptr<State> state_;
};

class Event {
public:
    explicit Event(Executor executor) : signal_(std::move(executor)) {}

    [[nodiscard]] Task<> wait() {
        while (!set_) co_await signal_.wait();
    }
    void set() {
        set_ = true;
        signal_.notify();
    }
    void reset() { set_ = false; }
    [[nodiscard]] bool is_set() const { return set_; }

private:
    Signal signal_;
    bool set_{false};
};

// A bounded queue between two coroutines.
template <class T>
class Mailbox {
public:
    Mailbox(Executor executor, std::size_t capacity)
        : capacity_(capacity), readable_(executor), writable_(std::move(executor)) {}

    // False when it is full or closed; the item is then lost.
    [[nodiscard]] bool try_push(T item) {
        if (closed_ || items_.size() >= capacity_) return false;
        items_.push_back(std::move(item));
        readable_.notify();
        return true;
    }

    // Waits for room. Errc::closed when it was closed.
    [[nodiscard]] Task<Result<>> push(T item) {
        while (!closed_ && items_.size() >= capacity_) co_await writable_.wait();
        if (closed_) co_return fail(Errc::closed, "the mailbox is closed");
        items_.push_back(std::move(item));
        readable_.notify();
        co_return Result<>{};
    }

    // Waits for an item. Errc::closed when it was closed and is empty.
    [[nodiscard]] Task<Result<T>> pop() {
        while (items_.empty() && !closed_) co_await readable_.wait();
        if (items_.empty()) co_return fail(Errc::closed, "the mailbox is closed");
        T item = std::move(items_.front());
        items_.pop_front();
        writable_.notify();
        co_return item;
    }

    void close() {
        closed_ = true;
        readable_.notify();
        writable_.notify();
    }
    [[nodiscard]] std::size_t size() const { return items_.size(); }

private:
    std::size_t capacity_;
    std::deque<T> items_;
    Signal readable_;
    Signal writable_;
    bool closed_{false};
};

}  // namespace skerry
