// Connections whose requests are under way when they end: nothing of theirs runs on.
#include "net/http_listener.hpp"

#include "sim/world.hpp"

#include <doctest/doctest.h>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

using namespace skerry;
using namespace skerry::net;
using namespace std::chrono_literals;

namespace {
constexpr std::uint16_t port = 8080;

// A handler that ends some time after it was told to, as one does whose file is being read on another thread.
struct Handling {
    explicit Handling(const Executor& executor) : begun(executor), told(executor), let_go(executor) {}
    Event begun;
    Event told;
    Event let_go;
    bool ended{false};
};

Task<codec::HttpResponse> hold_on(Handling& handling) {
    handling.begun.set();
    Event never(co_await boost::asio::this_coro::executor);
    try {
        co_await never.wait();
    } catch (...) { handling.told.set(); }
    co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
    co_await handling.let_go.wait();
    handling.ended = true;
    co_return codec::HttpResponse{};
}

struct Site {
    sim::World world;
    Handling handling{world.executor()};
    HttpListener listener{world.network(), world.clock(), world.executor(),
                          [this](codec::HttpRequest, const Peer&) { return hold_on(handling); }};
    TaskScope tasks{world.executor()};

    Site() { listener.start({.name = "test", .address = "localhost", .port = port, .tls = nullptr}); }
    ~Site() {
        handling.let_go.set();
        world.run(tasks.close());
        world.run(listener.close());
    }

    Task<> close() { co_await listener.close(); }

    Task<std::unique_ptr<Stream>> ask() {
        co_await listener.open().wait();
        auto stream = (co_await world.network().connect_tcp("localhost", port)).value();
        (void)co_await stream->write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        co_await handling.begun.wait();
        co_return stream;
    }
};
}  // namespace

TEST_CASE("a listener that closes waits for a handler whose client has just hung up") {
    Site site;
    auto stream = site.world.run(site.ask());
    stream->close();
    site.world.run(site.handling.told.wait());
    site.tasks.spawn("close", site.close());
    site.world.run_for(1s);
    CHECK_FALSE(site.handling.ended);
    CHECK(site.tasks.size() == 1);  // the handler uses what the connection has
    site.handling.let_go.set();
    site.world.run(site.tasks.idle());
    CHECK(site.handling.ended);
    CHECK(site.listener.connections() == 0);
}

TEST_CASE("a listener that closes waits for a handler under way") {
    Site site;
    const auto stream = site.world.run(site.ask());
    site.tasks.spawn("close", site.close());
    site.world.run(site.handling.told.wait());
    site.world.run_for(1s);
    CHECK(site.tasks.size() == 1);
    site.handling.let_go.set();
    site.world.run(site.tasks.idle());
    CHECK(site.handling.ended);
}
