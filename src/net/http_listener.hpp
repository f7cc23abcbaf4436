// Accepts HTTP connections and looks after them until they end.
//
// Promises: a port that can't be had yet is asked for again, every ten seconds: the other heads go on without it.
// Bounds:   HttpPlace::most_connections; one more takes the place of one that has asked for nothing now (room.hpp).
//           16 KiB of headers and 256 KiB of body each. A handshake has 10 s, a request 5 s to arrive, an answer 30 s
//           to be taken; who hangs up before it gives its place free at once; between requests a connection is kept
//           for 60 s.
// Threads:  the loop's.
#pragma once

#include "base/event.hpp"
#include "base/task_scope.hpp"
#include "net/http.hpp"

#include <list>
#include <memory>
#include <string>

namespace skerry::net {

// Where to listen; without `tls` the connections are plain.
struct HttpPlace {
    std::string name;  // for the log
    std::string address;
    std::uint16_t port{0};
    std::shared_ptr<TlsServer> tls;
    std::size_t most_connections{256};
};

class HttpListener {
public:
    HttpListener(Network& network, Clock& clock, Executor executor, HttpHandler handler);

    void start(HttpPlace place);
    // Accepts nothing more and ends every connection.
    [[nodiscard]] Task<> close();
    // Set while connections are accepted.
    [[nodiscard]] Event& open() { return open_; }
    [[nodiscard]] std::uint16_t port() const { return listener_ ? listener_->port() : 0; }
    [[nodiscard]] std::size_t connections() const { return running_.size(); }

private:
    [[nodiscard]] Task<> serve(HttpPlace place);
    struct Guest {
        std::unique_ptr<Stream> stream;
        bool served{false};  // a request of it is being answered
        bool leaving{false};
    };
    [[nodiscard]] Task<> serve_one(std::shared_ptr<Guest> guest);
    [[nodiscard]] Task<codec::HttpResponse> answer(Guest& guest, codec::HttpRequest request);
    [[nodiscard]] bool make_room(std::size_t most);

    Network& network_;
    Clock& clock_;
    HttpHandler handler_;
    std::list<std::shared_ptr<Guest>> guests_;
    std::unique_ptr<Listener> listener_;
    Event open_;
    TaskScope accepting_;
    TaskScope running_;
};

}  // namespace skerry::net
