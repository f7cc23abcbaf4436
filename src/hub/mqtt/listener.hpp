// The MQTT head: accepts connections and looks after them until they end.
//
// Bounds: as many connections as clients may be connected, and 100 more that are still on their way in. When there are
//         so many, one of these has to go for each that comes (net/room.hpp).
#pragma once

#include "hub/mqtt/connection.hpp"
#include "net/network.hpp"

#include <list>
#include <memory>
#include <vector>

namespace skerry::hub::mqtt {

class Listener {
public:
    Listener(Services services, std::size_t most_clients);

    // Takes connections from `listener` from now on; may be called for several.
    void serve(std::unique_ptr<net::Listener> listener);
    // Accepts nothing more, closes every connection and waits for their ends.
    [[nodiscard]] Task<> close();
    [[nodiscard]] std::size_t connections() const { return connections_.size(); }

private:
    [[nodiscard]] Task<> accept(net::Listener& listener);
    [[nodiscard]] bool make_room();
    [[nodiscard]] Task<> run_one(std::shared_ptr<Connection> connection);
    [[nodiscard]] Task<> watch_silence();
    [[nodiscard]] Task<Result<>> all_ended();

    std::vector<char> read_buffer_;
    Turnstile turnstile_;
    Services services_;
    std::size_t most_;
    std::vector<std::unique_ptr<net::Listener>> listeners_;
    std::list<std::shared_ptr<Connection>> connections_;
    std::size_t ended_since_trim_{0};
    Event first_connection_;
    TaskScope acceptors_;
    TaskScope running_;
};

}  // namespace skerry::hub::mqtt
