// Publishes in the order of the calls, with a window of unacknowledged ones.
//
// Promises: a publish is written at most once and ends with exactly one result; its message is released when written.
// Bounds:   `window` in flight, 256 KiB written ahead; further publishes wait in their callers.
#pragma once

#include "base/clock.hpp"
#include "base/event.hpp"
#include "codec/mqtt.hpp"
#include "model/message.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <string>

namespace skerry::iothub {

inline constexpr std::size_t most_written_ahead = 256 * 1024;

class Outbox {
public:
    Outbox(Clock& clock, Executor executor, std::size_t window);

    struct Entry;
    // Queues it; fill() takes it from there. Keep the entry and call wait().
    [[nodiscard]] std::shared_ptr<Entry> add(std::string topic, model::SharedMessage message);
    // Waits for the result; a cancelled wait gives the entry up when it was not written yet.
    [[nodiscard]] static Task<Result<>> wait(std::shared_ptr<Entry> entry);

    // Writes what the window and `out` have room for.
    void fill(std::string& out);
    void acknowledge(codec::mqtt::PacketId id);
    void fail_in_flight(const Error& why);
    void fail_waiting(const Error& why);

    [[nodiscard]] std::size_t in_flight() const { return in_flight_.size(); }
    // When the oldest one in flight was written.
    [[nodiscard]] std::optional<SteadyTime> oldest() const;
    // Waits until nothing is in flight.
    [[nodiscard]] Task<> idle();

private:
    [[nodiscard]] codec::mqtt::PacketId next_id();

    Clock& clock_;
    Executor executor_;
    std::size_t window_;
    std::deque<std::shared_ptr<Entry>> waiting_;
    std::deque<std::shared_ptr<Entry>> in_flight_;
    codec::mqtt::PacketId last_id_{0};
    Signal emptied_;
};

}  // namespace skerry::iothub
