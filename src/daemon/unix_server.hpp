// One API on one unix socket: accepts, checks how many, serves.
//
// Bounds: `most` connections at once; one more is closed at once.
#pragma once

#include "base/task_scope.hpp"
#include "daemon/seldom.hpp"
#include "net/http.hpp"
#include "platform/platform.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace skerry::daemon {

class UnixServer {
public:
    UnixServer(Platform platform, std::string name, std::unique_ptr<net::Listener> listener, net::HttpHandler handler,
               std::size_t most);

    // Stops accepting and ends the connections. Await it before the server is destroyed.
    [[nodiscard]] Task<> close();

private:
    [[nodiscard]] Task<> accept_all();
    [[nodiscard]] Task<> serve(std::unique_ptr<net::Stream> stream);

    Platform platform_;
    std::string name_;
    std::unique_ptr<net::Listener> listener_;
    net::HttpHandler handler_;
    std::size_t most_;
    Seldom refused_;
    TaskScope scope_;
};

}  // namespace skerry::daemon
