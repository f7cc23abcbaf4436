// What the hub pushed and a handler has not dealt with yet: one lane per input, handled in order, acknowledged after.
//
// Promises: within a lane one handler runs at a time; a message is acknowledged on the connection it came from, after
//           its handler returned without an error; an error, or an exception, ends that connection.
// Bounds:   4,096 messages or 32 MiB that wait.
#pragma once

#include "base/task_scope.hpp"
#include "iothub/client/link.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace skerry::iothub {

class Inbox : public std::enable_shared_from_this<Inbox> {
public:
    explicit Inbox(Executor executor) : tasks_(executor), idle_(executor) {}

    struct Item {
        std::move_only_function<Task<Result<>>()> work;
        std::size_t bytes;
        std::shared_ptr<Link> link;
        codec::mqtt::PacketId id;  // 0: nothing to acknowledge
        bool may_be_left{false};   // unacknowledged, by a handler that says Errc::closed; the connection goes on
    };
    // Errc::full beyond the bounds: the connection should end then, the hub delivers again.
    [[nodiscard]] Result<> push(std::string lane, Item item);

    void resume();
    void pause() { running_ = false; }  // the handlers that run go on
    void forget_waiting();              // the connection is gone: all of it will come again
    // Waits until no handler runs.
    [[nodiscard]] Task<> idle();
    [[nodiscard]] Task<> close();
    void cancel();
    // Counts a message as handled without an error, for the back-off after failing handlers.
    [[nodiscard]] std::size_t handled() const { return handled_; }

private:
    struct Lane {
        std::deque<Item> items;
        bool busy{false};
    };
    void start(const std::string& name, Lane& lane);
    [[nodiscard]] static Task<> run_lane(std::shared_ptr<Inbox> self, std::string name);
    [[nodiscard]] static Task<Result<>> handle(std::shared_ptr<Inbox> self, Item& item);

    TaskScope tasks_;
    std::map<std::string, Lane> lanes_;  // only lanes with items or a running handler
    std::size_t waiting_{0};
    std::size_t waiting_bytes_{0};
    std::size_t busy_{0};
    std::size_t handled_{0};
    bool running_{false};
    bool closed_{false};
    Signal idle_;
};

}  // namespace skerry::iothub
