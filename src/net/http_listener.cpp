#include "net/http_listener.hpp"

#include "base/log.hpp"

namespace skerry::net {

using namespace std::chrono_literals;

namespace {
constexpr auto ask_again = 10s;

Result<std::unique_ptr<Listener>> listen(Network& network, const HttpPlace& place) {
    if (place.tls) return network.listen_tls(place.address, place.port, place.tls);
    return network.listen_tcp(place.address, place.port);
}
}  // namespace

HttpListener::HttpListener(Network& network, Clock& clock, Executor executor, HttpHandler handler)
    : network_(network),
      clock_(clock),
      handler_(std::move(handler)),
      open_(executor),
      accepting_(executor),
      running_(executor) {}

void HttpListener::start(HttpPlace place) {
    const auto name = place.name;
    accepting_.spawn(name, serve(std::move(place)));
}

Task<> HttpListener::serve(HttpPlace place) {
    log::info("Starting {}", place.name);
    for (bool told = false;; told = true) {
        auto listener = listen(network_, place);
        if (listener) {
            listener_ = std::move(*listener);
            break;
        }
        if (!told)
            log::error("{} can't be opened on port {} and is tried again every 10 s: {}", place.name, place.port,
                       listener.error().text);
        co_await clock_.sleep(ask_again);
    }
    log::info("Started {} on port {}", place.name, port());
    open_.set();
    for (;;) {
        auto stream = co_await listener_->accept();
        if (!stream) co_return;  // closed
        if (running_.size() >= place.most_connections) {
            log::warn("{}: a connection from {} is refused: {} are open", place.name, (*stream)->peer().address,
                      place.most_connections);
            continue;
        }
        running_.spawn("HTTP connection", serve_one(std::move(*stream)));
    }
}

Task<> HttpListener::serve_one(std::unique_ptr<Stream> stream) {
    const HttpServerLimits limits{.message = {.header_bytes = 16 * 1024, .body_bytes = 256 * 1024},
                                  .idle = 60s,
                                  .sending = 30s,
                                  .cancel_unwanted = true};
    co_await serve_http(*stream, clock_, handler_, limits);
}

Task<> HttpListener::close() {
    if (listener_) listener_->close();
    co_await accepting_.close();
    co_await running_.close();
}

}  // namespace skerry::net
