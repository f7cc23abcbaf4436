#include "hub/mqtt/listener.hpp"

#include "base/log.hpp"
#include "base/timeout.hpp"
#include "net/room.hpp"

#include <malloc.h>

namespace skerry::hub::mqtt {

using namespace std::chrono_literals;

namespace {
constexpr std::size_t arriving = 100;
constexpr std::size_t read_size = 64 * 1024;
// What a hundred TLS connections leave behind is worth giving back to the system.
constexpr std::size_t many_ended = 100;
}  // namespace

Listener::Listener(Services services, std::size_t most_clients)
    : read_buffer_(read_size),
      turnstile_(services.executor),
      services_(services),
      most_(most_clients + arriving),
      first_connection_(services.executor),
      acceptors_(services.executor),
      running_(services.executor) {
    services_.read_buffer = read_buffer_;
    services_.turnstile = &turnstile_;
    acceptors_.spawn("MQTT keep-alive watch", watch_silence());
}

void Listener::serve(std::unique_ptr<net::Listener> listener) {
    auto& added = *listeners_.emplace_back(std::move(listener));
    acceptors_.spawn("MQTT acceptor", accept(added));
}

Task<> Listener::accept(net::Listener& listener) {
    for (;;) {
        auto stream = co_await listener.accept();
        if (!stream) co_return;  // closed
        if (connections_.size() >= most_ && !make_room()) {
            log::warn("A connection from {} is refused: {} are open", (*stream)->peer().address, connections_.size());
            continue;
        }
        auto connection = std::make_shared<Connection>(std::move(*stream), services_);
        connections_.push_back(connection);
        first_connection_.set();
        running_.spawn("MQTT connection", run_one(std::move(connection)));
    }
}

// What was told to end takes a moment to.
bool Listener::make_room() {
    if (connections_.size() >= most_ + arriving) return false;
    std::vector<std::shared_ptr<Connection>> waiting;
    std::vector<std::string_view> hosts;
    for (const auto& connection : connections_) {
        if (!connection->arriving()) continue;
        waiting.push_back(connection);
        hosts.push_back(net::host_of(connection->address()));
    }
    const auto chosen = net::who_goes(hosts);
    if (!chosen) return false;
    waiting[*chosen]->close("too many connections are waiting to come in");
    return true;
}

Task<> Listener::run_one(std::shared_ptr<Connection> connection) {
    struct Leave {
        Listener& listener;
        std::shared_ptr<Connection>& connection;
        ~Leave() { listener.connections_.remove(connection); }
    } const leave{*this, connection};
    co_await connection->run();
    if (++ended_since_trim_ < many_ended) co_return;
    ended_since_trim_ = 0;
    ::malloc_trim(0);
}

// One timer for all connections, and none while there are none.
Task<> Listener::watch_silence() {
    for (;;) {
        if (connections_.empty()) {
            first_connection_.reset();
            co_await first_connection_.wait();
        }
        co_await services_.clock.sleep(1s);
        const auto now = services_.clock.steady();
        const auto connections = std::vector(connections_.begin(), connections_.end());
        for (const auto& connection : connections) connection->check_silence(now);
    }
}

Task<> Listener::close() {
    for (const auto& listener : listeners_) listener->close();
    co_await acceptors_.close();
    const auto connections = std::vector(connections_.begin(), connections_.end());
    for (const auto& connection : connections) connection->close("the hub is stopping");
    // Nearly all end at once. One that waits for the cloud's word on a stranger is told to stop.
    const auto ended = co_await with_timeout<void>(services_.clock, 1s, all_ended());
    if (!ended) co_await running_.close();
    co_await turnstile_.close();
}

Task<Result<>> Listener::all_ended() {
    co_await running_.idle();
    co_return Result<>{};
}

}  // namespace skerry::hub::mqtt
