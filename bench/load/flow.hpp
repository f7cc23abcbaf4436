// Messages from publishers to subscribers, as fast as a window allows or at a given rate, checked and timed.
//
// Latencies count from the time a message was meant to be sent: a server that stalls is charged for all that waited.
// With no subscriber it fills a backlog; with no publisher it drains one.
#pragma once

#include "load/histogram.hpp"
#include "load/ledger.hpp"
#include "load/options.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace skerry::load {

struct FlowResult {
    std::uint64_t sent{0};
    std::uint64_t acked{0};
    std::uint64_t received{0};  // with duplicates
    std::uint64_t lost{0};
    std::uint64_t duplicates{0};
    std::uint64_t out_of_order{0};
    double seconds{1};  // of the measured time
    std::uint64_t measured_acked{0};
    std::uint64_t measured_received{0};
    Histogram ack_latency;       // nanoseconds
    Histogram delivery_latency;  // nanoseconds
    std::string ended;           // complete, quiet (something is missing) or failed
    std::string error;
};

class Flow {
public:
    Flow(const Options& options, const Target& target);
    ~Flow();
    // Runs to its end. `tell` hears of the steps.
    [[nodiscard]] FlowResult run(void (*tell)(const std::string&));

private:
    class Publisher;
    class Subscriber;
    struct Shared;

    [[nodiscard]] bool open_all(std::int64_t limit);
    void send_until_done();
    void wait_for_rest();
    // Lets the clients go on for at most `nanoseconds`, and acknowledges what was handled meanwhile.
    void poll(std::int64_t nanoseconds);
    // When a message of an open loop is due, whatever the server does.
    [[nodiscard]] std::int64_t due_at(std::uint64_t message) const;
    void send_what_is_due(std::int64_t now);
    [[nodiscard]] bool everything_arrived() const;
    [[nodiscard]] FlowResult finish();

    const Options& options_;
    Poller poller_;
    std::unique_ptr<Shared> shared_;
    std::vector<std::unique_ptr<Subscriber>> subscribers_;
    std::vector<std::unique_ptr<Publisher>> publishers_;
    std::size_t next_publisher_{0};
    std::uint64_t given_out_{0};  // messages whose time has come, open loop
    std::int64_t begun_{0};
    std::int64_t ended_{0};
};

}  // namespace skerry::load
