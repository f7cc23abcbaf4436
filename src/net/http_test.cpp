#include "net/http.hpp"

#include "base/loop.hpp"
#include "base/task_scope.hpp"
#include "base/timeout.hpp"
#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <array>

using namespace skerry;
using namespace skerry::net;
using namespace skerry::codec;
using namespace std::chrono_literals;

namespace {
// A server on a unix socket, with what a test may want to look at.
struct Site {
    Executor executor;
    Network& network;
    Clock& clock;
    std::filesystem::path path;
    int& connections;

    [[nodiscard]] HttpClient client(HttpLimits limits = {}) const {
        return HttpClient(clock, unix_connector(network, path), limits);
    }
    // Sends raw bytes and gives all that comes back until the server closes.
    Task<std::string> talk(std::string wire) const {
        auto stream = (co_await network.connect_unix(path)).value();
        CHECK(co_await stream->write(wire));
        std::string out;
        std::array<char, 4096> buffer;
        for (;;) {
            const auto got = co_await stream->read_some(buffer);
            if (!got || *got == 0) co_return out;
            out.append(buffer.data(), *got);
        }
    }
};

Task<> serve_stream(std::unique_ptr<Stream> stream, Clock& clock, const HttpHandler& handler, HttpServerLimits limits) {
    co_await serve_http(*stream, clock, handler, limits);
}

Task<> serve(Listener& listener, TaskScope& scope, Clock& clock, const HttpHandler& handler, HttpServerLimits limits,
             int& connections) {
    for (;;) {
        auto stream = co_await listener.accept();
        if (!stream) co_return;
        ++connections;
        scope.spawn("connection", serve_stream(std::move(*stream), clock, handler, limits));
    }
}

void with_server(const HttpHandler& handler, const HttpServerLimits& limits, const std::function<Task<>(Site)>& body) {
    Loop loop;
    const auto main = [&](Event&) -> Task<int> {
        const sim::TemporaryFolder folder;
        const auto network = make_system_network(loop.executor());
        SystemClock clock;
        const auto listener = network->listen_unix(folder / "http.sock", 0600).value();
        int connections = 0;
        TaskScope scope(loop.executor());
        scope.spawn("server", serve(*listener, scope, clock, handler, limits, connections));
        co_await body(Site{loop.executor(), *network, clock, folder / "http.sock", connections});
        co_await scope.close();
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}

// Answers with what it was asked.
Task<HttpResponse> mirror(HttpRequest request, const Peer& peer) {
    HttpResponse response{.status = request.target == "/missing" ? 404U : 200U,
                          .body = request.method + " " + request.target + " " + request.body};
    response.headers.set("X-Host", std::string(request.headers.find("Host").value_or("none")));
    response.headers.set("X-Process", peer.process ? "known" : "unknown");
    co_return response;
}

// Pieces "0", "1", ... `count` of them; then waits for ever when `endless`.
struct Pieces {
    Executor executor;
    int count;
    bool endless{false};
    int sent{0};
    bool* unwound{nullptr};

    Task<std::optional<std::string>> next() {
        struct Note {
            bool* flag;
            ~Note() {
                if (flag != nullptr) *flag = true;
            }
        };
        if (sent < count) co_return std::to_string(sent++);
        if (!endless) co_return std::nullopt;
        const Note note{unwound};
        Event never(executor);
        co_await never.wait();
        co_return std::nullopt;
    }
};
}  // namespace

TEST_CASE("a client's exchanges share one connection") {
    with_server(mirror, {}, [](Site site) -> Task<> {
        auto client = site.client();
        for (int i = 0; i < 3; ++i) {
            const auto response = co_await client.exchange({.method = "POST", .target = "/x?y=1", .body = "hi"}, 5s);
            REQUIRE(response);
            CHECK(response->status == 200);
            CHECK(response->body == "POST /x?y=1 hi");
            CHECK(response->headers.find("x-host") == "localhost");
            CHECK(response->headers.find("x-process") == "known");
        }
        CHECK((co_await client.exchange({.target = "/missing"}, 5s))->status == 404);
        CHECK((co_await client.exchange({.method = "HEAD"}, 5s))->body.empty());
        CHECK((co_await client.exchange({.target = "/after-head"}, 5s))->body == "GET /after-head ");
        CHECK(site.connections == 1);
    });
}

TEST_CASE("a kept connection that the server closed meanwhile is replaced without notice") {
    with_server(mirror, {.idle = 5ms}, [](Site site) -> Task<> {
        auto client = site.client();
        CHECK((co_await client.exchange({}, 5s)).has_value());
        co_await site.clock.sleep(50ms);
        CHECK((co_await client.exchange({}, 5s)).has_value());
        CHECK(site.connections == 2);
    });
}

TEST_CASE("large bodies pass in both directions") {
    with_server(mirror, {.message = {.body_bytes = 8'000'000}}, [](Site site) -> Task<> {
        auto client = site.client({.body_bytes = 8'000'000});
        const auto response = co_await client.exchange({.method = "PUT", .body = std::string(5'000'000, 'x')}, 20s);
        REQUIRE(response);
        CHECK(response->body.size() == 5'000'000 + std::string_view("PUT / ").size());
        const auto too_large =
            co_await site.client({.body_bytes = 1000}).exchange({.method = "PUT", .body = std::string(5000, 'x')}, 20s);
        CHECK(too_large.error().code == Errc::full);
    });
}

TEST_CASE("requests over a limit are answered before the connection closes") {
    const HttpServerLimits limits{
        .message = {.header_bytes = 512, .body_bytes = 100}, .body_arrival = 30ms, .linger = 10ms};
    with_server(mirror, limits, [](Site site) -> Task<> {
        const auto starts = [](const std::string& text, std::string_view with) { return text.starts_with(with); };
        CHECK(starts(co_await site.talk("POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n" + std::string(101, 'x')),
                     "HTTP/1.1 413 "));
        CHECK(starts(co_await site.talk("GET / HTTP/1.1\r\nx: " + std::string(600, 'x')), "HTTP/1.1 431 "));
        CHECK(starts(co_await site.talk("nonsense\r\n\r\n"), "HTTP/1.1 400 "));
        CHECK(starts(co_await site.talk("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nslow"), "HTTP/1.1 408 "));
        auto client = site.client();
        CHECK((co_await client.exchange({.method = "PUT", .body = std::string(101, 'x')}, 5s))->status == 413);
        CHECK((co_await client.exchange({}, 5s))->status == 200);
    });
}

TEST_CASE("requests sent ahead are answered in order, and Connection: close ends the connection") {
    with_server(mirror, {}, [](Site site) -> Task<> {
        const auto answers = co_await site.talk(
            "GET /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi"
            "GET /3 HTTP/1.1\r\nConnection: close\r\n\r\nGET /4 HTTP/1.1\r\n\r\n");
        const auto first = answers.find("GET /1 ");
        const auto second = answers.find("POST /2 hi");
        const auto third = answers.find("GET /3 ");
        CHECK(first < second);
        CHECK(second < third);
        CHECK(third != std::string::npos);
        CHECK(answers.find("/4") == std::string::npos);
    });
}

TEST_CASE("a client that expects 100-continue gets it before the answer") {
    with_server(mirror, {}, [](Site site) -> Task<> {
        auto stream = (co_await site.network.connect_unix(site.path)).value();
        REQUIRE(co_await stream->write(
            "POST / HTTP/1.1\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n"));
        std::array<char, 4096> buffer;
        const auto got = co_await stream->read_some(buffer);
        CHECK(std::string_view(buffer.data(), got.value()) == "HTTP/1.1 100 Continue\r\n\r\n");
        REQUIRE(co_await stream->write("hi"));
        const auto answer = co_await stream->read_some(buffer);
        CHECK(std::string_view(buffer.data(), answer.value()).ends_with("POST / hi"));
    });
}

TEST_CASE("a streamed answer arrives piece by piece, chunked or to the end of the connection") {
    const HttpHandler handler = [](HttpRequest, const Peer&) -> Task<HttpResponse> {
        const auto pieces = std::make_shared<Pieces>(Pieces{.executor = {}, .count = 3});
        HttpResponse response;
        response.next_chunk = [pieces] { return pieces->next(); };
        co_return response;
    };
    with_server(handler, {}, [](Site site) -> Task<> {
        auto client = site.client();
        CHECK((co_await client.exchange({}, 5s))->body == "012");
        std::string seen;
        const auto streamed = co_await client.stream({}, [&](std::string_view piece) {
            seen += piece;
            return true;
        });
        CHECK(streamed->status == 200);
        CHECK(seen == "012");
        CHECK(site.connections == 1);
        const auto old = co_await site.talk("GET / HTTP/1.0\r\n\r\n");
        CHECK(old.ends_with("\r\n\r\n012"));
        CHECK(old.find("chunked") == std::string::npos);
    });
}

TEST_CASE("a relayed answer comes at its taker's pace, and ends when the taker has enough") {
    const HttpHandler handler = [](HttpRequest, const Peer&) -> Task<HttpResponse> {
        const auto pieces = std::make_shared<Pieces>(Pieces{.executor = {}, .count = 3});
        HttpResponse response;
        response.next_chunk = [pieces] { return pieces->next(); };
        co_return response;
    };
    with_server(handler, {}, [](Site site) -> Task<> {
        auto client = site.client();
        std::string seen;
        bool busy = false;
        const auto take_slowly = [&](std::string piece) -> Task<bool> {
            CHECK_FALSE(busy);
            busy = true;
            co_await site.clock.sleep(1ms);
            busy = false;
            seen += piece;
            co_return true;
        };
        CHECK((co_await client.relay({}, take_slowly))->status == 200);
        CHECK(seen == "012");
        const auto take_none = [](std::string) -> Task<bool> { co_return false; };
        CHECK((co_await client.relay({}, take_none))->status == 200);
    });
}

TEST_CASE("when the client of an endless answer goes away, its source is cancelled") {
    bool unwound = false;
    Executor executor;
    const HttpHandler handler = [&](HttpRequest, const Peer&) -> Task<HttpResponse> {
        const auto pieces =
            std::make_shared<Pieces>(Pieces{.executor = executor, .count = 1, .endless = true, .unwound = &unwound});
        HttpResponse response;
        response.next_chunk = [pieces] { return pieces->next(); };
        co_return response;
    };
    with_server(handler, {}, [&](Site site) -> Task<> {
        executor = site.executor;
        auto client = site.client();
        const auto streamed = co_await client.stream({}, [](std::string_view piece) { return piece != "0"; });
        CHECK(streamed->status == 200);
        for (int i = 0; i < 1000 && !unwound; ++i) co_await site.clock.sleep(1ms);
        CHECK(unwound);
    });
}

TEST_CASE("a handler whose client has hung up is cancelled if the server says so") {
    bool unwound = false;
    std::optional<Event> begun;
    const HttpHandler sleeper = [&](HttpRequest, const Peer&) -> Task<HttpResponse> {
        struct Unwind {
            bool& flag;
            ~Unwind() { flag = true; }
        } const unwind{unwound};
        begun->set();
        SystemClock clock;
        co_await clock.sleep(1h);
        co_return HttpResponse{};
    };
    with_server(sleeper, {.cancel_unwanted = true}, [&](Site site) -> Task<> {
        begun.emplace(site.executor);
        {
            auto stream = co_await site.network.connect_unix(site.path);
            REQUIRE(stream);
            CHECK(co_await (*stream)->write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
            co_await begun->wait();
            CHECK_FALSE(unwound);
        }
        begun.reset();  // before its loop
        for (int i = 0; i < 1000 && !unwound; ++i) co_await site.clock.sleep(1ms);
        CHECK(unwound);
    });
}

TEST_CASE("stream hands over errors as whole answers") {
    with_server(mirror, {}, [](Site site) -> Task<> {
        auto client = site.client();
        bool called = false;
        const auto response =
            co_await client.stream({.target = "/missing"}, [&](std::string_view) { return called = true; });
        CHECK(response->status == 404);
        CHECK(response->body == "GET /missing ");
        CHECK_FALSE(called);
    });
}

TEST_CASE("an exchange that takes too long, finds nobody, or gets nonsense says which") {
    const HttpHandler sleeper = [](HttpRequest, const Peer&) -> Task<HttpResponse> {
        SystemClock clock;
        co_await clock.sleep(1h);
        co_return HttpResponse{};
    };
    with_server(sleeper, {}, [](Site site) -> Task<> {
        auto client = site.client();
        const auto late = co_await client.exchange({.target = "/slow?sig=secret"}, 5ms);
        CHECK(late.error().code == Errc::timeout);
        CHECK(late.error().text.find("/slow") != std::string::npos);
        CHECK(late.error().text.find("secret") == std::string::npos);
        HttpClient nobody(site.clock, unix_connector(site.network, site.path.parent_path() / "none"));
        CHECK((co_await nobody.exchange({}, 5s)).error().code == Errc::unreachable);

        const auto listener = site.network.listen_unix(site.path.parent_path() / "odd", 0600).value();
        HttpClient odd(site.clock, unix_connector(site.network, site.path.parent_path() / "odd"));
        TaskScope server(site.executor);
        server.spawn("odd server", [](Listener& from) -> Task<> {
            for (const auto* answer : {"SSH-2.0-x\r\n\r\n", "", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"}) {
                auto stream = (co_await from.accept()).value();
                std::array<char, 4096> buffer;
                (void)co_await stream->read_some(buffer);
                (void)co_await stream->write(answer);
            }
        }(*listener));
        CHECK((co_await odd.exchange({}, 5s)).error().code == Errc::malformed);
        CHECK((co_await odd.exchange({}, 5s)).error().code == Errc::unreachable);
        CHECK((co_await odd.exchange({}, 5s)).error().code == Errc::unreachable);
        co_await server.close();
    });
}
