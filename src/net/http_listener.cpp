#include "net/http_listener.hpp"

#include "base/log.hpp"
#include "net/room.hpp"

#include <string_view>
#include <utility>
#include <vector>

namespace skerry::net {

using namespace std::chrono_literals;

namespace {
constexpr auto ask_again = 10s;
constexpr std::size_t leaving_at_once = 100;

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
        if (guests_.size() >= place.most_connections && !make_room(place.most_connections)) {
            log::warn("{}: a connection from {} is refused: {} are open", place.name, (*stream)->peer().address,
                      place.most_connections);
            continue;
        }
        auto guest = std::make_shared<Guest>(std::move(*stream));
        guests_.push_back(guest);
        running_.spawn("HTTP connection", serve_one(std::move(guest)));
    }
}

// What was told to end takes a moment to.
bool HttpListener::make_room(std::size_t most) {
    if (guests_.size() >= most + leaving_at_once) return false;
    std::vector<std::shared_ptr<Guest>> idle;
    std::vector<std::string_view> hosts;
    for (const auto& guest : guests_) {
        if (guest->served || guest->leaving) continue;
        idle.push_back(guest);
        hosts.push_back(host_of(guest->stream->peer().address));
    }
    const auto chosen = who_goes(hosts);
    if (!chosen) return false;
    idle[*chosen]->leaving = true;
    idle[*chosen]->stream->close();
    return true;
}

Task<codec::HttpResponse> HttpListener::answer(Guest& guest, codec::HttpRequest request) {
    struct Served {
        bool& flag;
        explicit Served(bool& of_guest) : flag(of_guest) { flag = true; }
        ~Served() { flag = false; }
    } const served(guest.served);
    co_return co_await handler_(std::move(request), guest.stream->peer());
}

Task<> HttpListener::serve_one(std::shared_ptr<Guest> guest) {
    struct Leave {
        HttpListener& listener;
        std::shared_ptr<Guest>& guest;
        ~Leave() { listener.guests_.remove(guest); }
    } const leave{*this, guest};
    const HttpServerLimits limits{.message = {.header_bytes = 16 * 1024, .body_bytes = 256 * 1024},
                                  .idle = 60s,
                                  .sending = 30s,
                                  .cancel_unwanted = true};
    const HttpHandler handler = [this, &guest](codec::HttpRequest request, const Peer&) {
        return answer(*guest, std::move(request));
    };
    co_await serve_http(*guest->stream, clock_, handler, limits);
}

Task<> HttpListener::close() {
    if (listener_) listener_->close();
    co_await accepting_.close();
    co_await running_.close();
}

}  // namespace skerry::net
