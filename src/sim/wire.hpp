// The inside of SimNetwork: one connection as two directions of bytes, and the faults that act on it.
#pragma once

#include "base/event.hpp"
#include "net/stream.hpp"
#include "sim/clock.hpp"

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace skerry {
class Random;
}

namespace skerry::sim {

struct Wire;

struct ListenerState {
    explicit ListenerState(Executor executor) : changed(std::move(executor)) {}
    std::string machine;
    bool tls{false};
    bool closed{false};
    std::deque<std::shared_ptr<Wire>> pending;  // 128 at most
    Signal changed;
};

struct NetworkState {
    NetworkState(Executor on, SimClock& time, Random& chance) : executor(std::move(on)), clock(time), random(chance) {}

    Executor executor;
    SimClock& clock;
    Random& random;
    Duration latency{};
    Duration jitter{};
    std::set<std::pair<std::string, std::string>> partitions;
    std::map<std::string, std::string> machine_of_name;
    std::map<std::pair<std::string, std::string>, std::shared_ptr<ListenerState>>
        listeners;  // by machine, port or path
    std::vector<std::weak_ptr<Wire>> wires;
    std::uint16_t next_port{49152};
    bool gone{false};  // the SimNetwork was destroyed, and its clock may be, too: streams that are left only end

    [[nodiscard]] Duration delay(const std::string& from, const std::string& to);
    [[nodiscard]] bool partitioned(const std::string& machine, const std::string& other) const;
    [[nodiscard]] std::vector<std::shared_ptr<Wire>> wires_between(const std::string& machine,
                                                                   const std::string& other);
};

// Side 0 connected, side 1 accepted.
struct Wire : std::enable_shared_from_this<Wire> {
    static constexpr std::size_t capacity = 256 * 1024;

    struct Segment {
        SteadyTime due;
        std::string bytes;
        bool is_end{false};
    };
    // From one side to the other.
    struct Direction {
        explicit Direction(const Executor& executor) : readable(executor), writable(executor) {}
        std::deque<Segment> flying;
        std::string arrived;
        std::size_t held{0};  // flying and arrived
        bool end_arrived{false};
        Signal readable;
        Signal writable;
    };

    Wire(std::shared_ptr<NetworkState> network, std::string connecting, std::string accepting);

    [[nodiscard]] Task<Result<>> wait_readable(std::size_t side);
    [[nodiscard]] Task<Result<std::size_t>> read_some(std::size_t side, std::span<char> buffer);
    [[nodiscard]] Task<Result<>> write(std::size_t side, std::string_view bytes);
    void close(std::size_t side);
    void reset();
    // Lets arrive what is due, unless the line is cut.
    void deliver();

    [[nodiscard]] bool is_open() const { return !was_reset && !(closed[0] && closed[1]); }
    [[nodiscard]] Direction& incoming(std::size_t side) { return directions[1 - side]; }
    [[nodiscard]] Direction& outgoing(std::size_t side) { return directions[side]; }

    std::shared_ptr<NetworkState> network;
    std::array<std::string, 2> machines;
    std::array<Direction, 2> directions;  // [n] carries what side n writes
    std::array<bool, 2> closed{};
    bool was_reset{false};
    bool tls_mismatch{false};

private:
    [[nodiscard]] Result<> usable(std::size_t side) const;
    void send(std::size_t side, std::string_view bytes, bool is_end);
    void deliver(std::size_t side);
};

[[nodiscard]] std::unique_ptr<net::Stream> make_sim_stream(std::shared_ptr<Wire> wire, std::size_t side,
                                                           net::Peer peer);

}  // namespace skerry::sim
