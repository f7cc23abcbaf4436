// One MQTT connection of a client, from CONNECT to its end: what is to be written, and why it ended.
#pragma once

#include "base/clock.hpp"
#include "base/event.hpp"
#include "codec/mqtt.hpp"
#include "net/stream.hpp"

#include <memory>
#include <string>

namespace skerry::iothub {

struct Link {
    Link(std::unique_ptr<net::Stream> over, Clock& clock, const Executor& executor)
        : stream(std::move(over)), out_ready(executor), written(executor), ended(executor), opened(clock.steady()) {}

    // Queues a packet for the next write.
    void put(const codec::mqtt::Packet& packet) {
        codec::mqtt::encode(packet, out);
        out_ready.notify();
    }

    // The first reason stays. Wakes reader and writer.
    void end(Error with) {
        if (ended.is_set()) return;
        why = std::move(with);
        ended.set();
        out_ready.notify();
        written.notify();
        stream->close();
    }

    // Waits until all that was put is written, or the connection has ended.
    [[nodiscard]] Task<Result<>> flush() {
        while (!ended.is_set() && (writing || !out.empty())) co_await written.wait();
        co_return Result<>{};
    }

    std::unique_ptr<net::Stream> stream;
    codec::mqtt::Decoder decoder{codec::mqtt::Limits{.packet_bytes = 1024 * 1024}};
    std::string out;
    bool writing{false};
    Signal out_ready;
    Signal written;
    Event ended;
    Error why;
    bool subscribed{false};
    bool commands{false};        // are subscribed to, as far as was asked
    bool left_out{false};        // messages came while nobody wanted them
    bool changing{false};        // a change of that has no answer yet
    bool planned_end{false};     // to renew the token
    bool handler_failed{false};  // reopened so that a message comes again
    SteadyTime token_expires{};
    SteadyTime opened;
    SteadyTime last_written{opened};
    SteadyTime last_read{opened};
    SteadyTime pinged{};
    bool ping_open{false};
};

}  // namespace skerry::iothub
