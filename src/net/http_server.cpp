// One server connection: requests in, answers out, every wait with its limit.
#include "base/timeout.hpp"
#include "net/http.hpp"

#include <array>
#include <optional>

namespace skerry::net {

namespace {
constexpr std::size_t read_bytes = 16 * 1024;

// What the steps of one connection share; it lives in the frame of serve_http.
struct Connection {
    Stream& stream;
    Clock& clock;
    const HttpHandler& handler;
    HttpServerLimits limits;
    codec::HttpRequestParser parser;
};

// Reads until a request is whole; nullopt when the peer closes before that.
Task<Result<std::optional<codec::HttpRequest>>> receive(Connection& connection) {
    std::array<char, read_bytes> buffer;
    for (std::string_view arrived;;) {
        if (auto fed = connection.parser.feed(arrived); !fed) co_return fail(fed.error());
        if (auto request = connection.parser.take()) co_return std::move(request);
        if (connection.parser.take_expects_continue())
            if (auto sent = co_await connection.stream.write("HTTP/1.1 100 Continue\r\n\r\n"); !sent)
                co_return fail(sent.error());
        const auto got = co_await connection.stream.read_some(buffer);
        if (!got) co_return fail(got.error());
        if (*got == 0) co_return std::nullopt;
        arrived = std::string_view(buffer.data(), *got);
    }
}

// Takes what the peer still sends: closing with unread data would destroy our last answer on its way.
Task<Result<>> drain(Stream& stream) {
    std::array<char, read_bytes> buffer;
    for (int reads = 0; reads < 256; ++reads) {
        const auto got = co_await stream.read_some(buffer);
        if (!got || *got == 0) break;
    }
    co_return Result<>{};
}

Task<Result<>> send_whole(Connection& connection, std::string wire) {
    co_return co_await with_timeout<void>(connection.clock, connection.limits.sending, connection.stream.write(wire));
}

// Tells the peer what was wrong with its request, as far as there is something to tell.
Task<> refuse(Connection& connection, Error error) {
    auto status = connection.parser.failure_status();
    if (status == 0 && error.code == Errc::timeout && connection.parser.in_message()) status = 408;
    if (status == 0) co_return;
    codec::HttpResponse response{.status = status,
                                 .body = status == 408 ? "the request took too long to arrive" : error.text};
    response.headers.set("Content-Type", "text/plain; charset=utf-8");
    std::string wire;
    codec::serialize(response, false, wire);
    if (co_await send_whole(connection, std::move(wire)))
        (void)co_await with_timeout<void>(connection.clock, connection.limits.linger, drain(connection.stream));
}

Task<Result<>> send_pieces(Stream& stream, codec::HttpResponse& response, std::string wire, bool chunked) {
    if (auto sent = co_await stream.write(wire); !sent) co_return sent;
    while (const auto piece = co_await response.next_chunk()) {
        wire.clear();
        if (chunked)
            codec::serialize_chunk(*piece, wire);
        else
            wire = *piece;
        if (auto sent = co_await stream.write(wire); !sent) co_return sent;
    }
    wire.clear();
    if (chunked) codec::serialize_last_chunk(wire);
    co_return co_await stream.write(wire);
}

// Ends when the peer does; what it sends meanwhile is kept for the next request, within the limits.
Task<Result<>> watch_peer(Connection& connection) {
    for (;;) {
        if (auto ready = co_await connection.stream.wait_readable(); !ready) co_return ready;
        std::array<char, 1024> buffer;
        const auto got = co_await connection.stream.read_some(buffer);
        if (!got) co_return fail(got.error());
        if (*got == 0) co_return fail(Errc::closed, "the client has gone");
        if (auto fed = connection.parser.feed({buffer.data(), *got}); !fed) co_return fed;
    }
}

Task<Result<>> send_streamed(Connection& connection, codec::HttpResponse& response, bool is_head, bool chunked,
                             bool keep_alive) {
    std::string wire;
    if (chunked)
        codec::serialize_chunked_head(response, wire, keep_alive);
    else
        codec::serialize_unframed_head(response, wire);
    if (is_head) co_return co_await send_whole(connection, std::move(wire));
    co_return co_await first_of<void>(send_pieces(connection.stream, response, std::move(wire), chunked),
                                      watch_peer(connection));
}

Task<Result<codec::HttpResponse>> respond(Connection& connection, codec::HttpRequest request) {
    co_return co_await connection.handler(std::move(request), connection.stream.peer());
}

Task<Result<codec::HttpResponse>> end_with_peer(Connection& connection) {
    co_return fail((co_await watch_peer(connection)).error());
}

// Answers `request`. False when the connection can't serve another one.
Task<bool> answer(Connection& connection, codec::HttpRequest request) {
    const bool is_head = request.method == "HEAD";
    const bool chunked = connection.parser.accepts_chunks();
    auto keep_alive = connection.parser.keep_alive();
    auto responded =
        connection.limits.cancel_unwanted
            ? co_await first_of<codec::HttpResponse>(respond(connection, std::move(request)), end_with_peer(connection))
            : co_await respond(connection, std::move(request));
    if (!responded) co_return false;
    auto& response = *responded;
    if (response.headers.find("Connection") == "close") keep_alive = false;
    if (response.next_chunk) {
        keep_alive = keep_alive && chunked;
        const auto sent = co_await send_streamed(connection, response, is_head, chunked, keep_alive);
        co_return sent.has_value() && keep_alive;
    }
    std::string wire;
    if (is_head)
        codec::serialize_head_only(response, keep_alive, wire);
    else
        codec::serialize(response, keep_alive, wire);
    const auto sent = co_await send_whole(connection, std::move(wire));
    co_return sent.has_value() && keep_alive;
}

// Waits for a request and answers it. False when the connection is at its end.
Task<bool> serve_one(Connection& connection) {
    if (!connection.parser.in_message()) {
        const auto ready =
            co_await with_timeout<void>(connection.clock, connection.limits.idle, connection.stream.wait_readable());
        if (!ready) co_return false;
    }
    auto received = co_await with_timeout<std::optional<codec::HttpRequest>>(
        connection.clock, connection.limits.body_arrival, receive(connection));
    if (!received) {
        co_await refuse(connection, std::move(received.error()));
        co_return false;
    }
    if (!*received) co_return false;
    co_return co_await answer(connection, std::move(**received));
}
}  // namespace

Task<> serve_http(Stream& stream, Clock& clock, const HttpHandler& handler, HttpServerLimits limits) {
    Connection connection{stream, clock, handler, limits, codec::HttpRequestParser(limits.message)};
    if (co_await with_timeout<void>(clock, limits.handshake, stream.handshake())) {
        while (co_await serve_one(connection)) {}
    }
    stream.close();
}

}  // namespace skerry::net
