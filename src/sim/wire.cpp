#include "sim/wire.hpp"

#include "base/random.hpp"

#include <algorithm>

namespace skerry::sim {

Duration NetworkState::delay(const std::string& from, const std::string& to) {
    if (from == to) return {};
    if (jitter.count() == 0) return latency;
    return latency + Duration(random.below(static_cast<std::uint64_t>(jitter.count()) + 1));
}

bool NetworkState::partitioned(const std::string& machine, const std::string& other) const {
    return partitions.contains(std::minmax(machine, other));
}

std::vector<std::shared_ptr<Wire>> NetworkState::wires_between(const std::string& machine, const std::string& other) {
    std::erase_if(wires, [](const auto& wire) { return wire.expired(); });
    std::vector<std::shared_ptr<Wire>> found;
    for (const auto& weak : wires) {
        auto wire = weak.lock();
        const auto& [one, two] = wire->machines;
        if ((one == machine && two == other) || (one == other && two == machine)) found.push_back(std::move(wire));
    }
    return found;
}

Wire::Wire(std::shared_ptr<NetworkState> net, std::string connecting, std::string accepting)
    : network(std::move(net)),
      machines{std::move(connecting), std::move(accepting)},
      directions{Direction(network->executor), Direction(network->executor)} {}

Result<> Wire::usable(std::size_t side) const {
    if (closed[side]) return fail(Errc::closed, "the connection was closed on this side");
    if (was_reset) return fail(Errc::closed, "the connection with " + machines[1 - side] + " was reset");
    return {};
}

Task<Result<>> Wire::wait_readable(std::size_t side) {
    const auto self = shared_from_this();
    auto& in = self->incoming(side);
    for (;;) {
        if (auto good = self->usable(side); !good) co_return good;
        if (!in.arrived.empty() || in.end_arrived) co_return Result<>{};
        co_await in.readable.wait();
    }
}

Task<Result<std::size_t>> Wire::read_some(std::size_t side, std::span<char> buffer) {
    const auto self = shared_from_this();
    if (auto ready = co_await self->wait_readable(side); !ready) co_return fail(ready.error());
    auto& in = self->incoming(side);
    const auto available = std::min(in.arrived.size(), buffer.size());
    if (available == 0) co_return std::size_t{0};
    // Half of the reads get everything, the other half a piece: both happen in real life, and find different mistakes.
    auto& random = self->network->random;
    const auto taken = random.below(2) == 0 ? available : 1 + static_cast<std::size_t>(random.below(available));
    std::copy_n(in.arrived.begin(), taken, buffer.begin());
    in.arrived.erase(0, taken);
    in.held -= taken;
    in.writable.notify();
    co_return taken;
}

Task<Result<>> Wire::write(std::size_t side, std::string_view bytes) {
    const auto self = shared_from_this();
    auto& out = self->outgoing(side);
    while (!bytes.empty()) {
        if (auto good = self->usable(side); !good) co_return good;
        if (self->incoming(side).end_arrived) co_return fail(Errc::closed, "the other side has closed the connection");
        const auto room = std::min(capacity - out.held, bytes.size());
        if (room == 0) {
            co_await out.writable.wait();
            continue;
        }
        self->send(side, bytes.substr(0, room), false);
        bytes.remove_prefix(room);
    }
    co_return Result<>{};
}

void Wire::send(std::size_t side, std::string_view bytes, bool is_end) {
    auto& out = outgoing(side);
    auto due = network->clock.steady() + network->delay(machines[side], machines[1 - side]);
    if (!out.flying.empty()) due = std::max(due, out.flying.back().due);
    out.flying.push_back({due, std::string(bytes), is_end});
    out.held += bytes.size();
    if (due > network->clock.steady())
        network->clock.call_at(due, [weak = weak_from_this()] {
            if (const auto wire = weak.lock()) wire->deliver();
        });
    deliver(side);
}

void Wire::deliver() {
    deliver(0);
    deliver(1);
}

void Wire::deliver(std::size_t side) {
    if (was_reset || network->partitioned(machines[0], machines[1])) return;
    auto& out = outgoing(side);
    while (!out.flying.empty() && out.flying.front().due <= network->clock.steady()) {
        const auto segment = std::move(out.flying.front());
        out.flying.pop_front();
        if (segment.is_end) {
            out.end_arrived = true;
            incoming(side).writable.notify();  // the other side's writer
        }
        // What arrives at a closed side is thrown away.
        if (closed[1 - side])
            out.held -= segment.bytes.size();
        else
            out.arrived += segment.bytes;
        out.readable.notify();
    }
}

void Wire::close(std::size_t side) {
    if (closed[side]) return;
    closed[side] = true;
    auto& in = incoming(side);
    in.held -= in.arrived.size();
    in.arrived.clear();
    if (!was_reset && !network->gone) send(side, {}, true);
    in.readable.notify();
    outgoing(side).writable.notify();
}

void Wire::reset() {
    was_reset = true;
    for (auto& direction : directions) {
        direction.flying.clear();
        direction.arrived.clear();
        direction.held = 0;
        direction.readable.notify();
        direction.writable.notify();
    }
}

namespace {
class SimStream final : public net::Stream {
public:
    SimStream(std::shared_ptr<Wire> wire, std::size_t side, net::Peer peer)
        : wire_(std::move(wire)), side_(side), peer_(std::move(peer)) {}
    ~SimStream() override { wire_->close(side_); }

    Task<Result<>> handshake() override {
        if (wire_->tls_mismatch) co_return fail(Errc::malformed, "TLS handshake: the other side does not speak TLS");
        co_return Result<>{};
    }
    Task<Result<>> wait_readable() override { return wire_->wait_readable(side_); }
    Task<Result<std::size_t>> read_some(std::span<char> buffer) override { return wire_->read_some(side_, buffer); }
    Task<Result<>> write(std::string_view bytes) override { return wire_->write(side_, bytes); }
    void close() override { wire_->close(side_); }
    [[nodiscard]] const net::Peer& peer() const override { return peer_; }

private:
    std::shared_ptr<Wire> wire_;  // shared by its two ends
    std::size_t side_;
    net::Peer peer_;
};
}  // namespace

std::unique_ptr<net::Stream> make_sim_stream(std::shared_ptr<Wire> wire, std::size_t side, net::Peer peer) {
    return std::make_unique<SimStream>(std::move(wire), side, std::move(peer));
}

}  // namespace skerry::sim
