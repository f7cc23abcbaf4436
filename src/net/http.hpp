// HTTP/1.1 over any Stream: a server loop and a client. Parsing and serializing is codec's.
#pragma once

#include "base/clock.hpp"
#include "codec/http.hpp"
#include "net/network.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace skerry::net {

// Answers one request. Exceptions and errors inside must already be turned into a response.
using HttpHandler = std::function<Task<codec::HttpResponse>(codec::HttpRequest request, const Peer& peer)>;

struct HttpServerLimits {
    codec::HttpLimits message;
    Duration idle{std::chrono::seconds(120)};        // between requests of a kept-alive connection
    Duration body_arrival{std::chrono::seconds(5)};  // from the first byte of a request to its last: then 408
    Duration handshake{std::chrono::seconds(10)};
    Duration linger{std::chrono::seconds(1)};  // after a refusal: lets the peer read it before the connection is reset
    Duration sending{std::chrono::seconds(60)};  // for the peer to take a whole answer (not one with `next_chunk`)
    bool cancel_unwanted{false};                 // a peer that hangs up, or closes its side, cancels the handler
};

// Serves requests on `stream` (handshake included) until the peer closes, a limit is hit, or the task is cancelled.
// A response with `next_chunk` is sent chunked, piece by piece, as the peer takes it; when the peer goes away
// meanwhile, the pending next_chunk is cancelled. Requests over a limit are answered with 400, 408, 413 or 431.
[[nodiscard]] Task<> serve_http(Stream& stream, Clock& clock, const HttpHandler& handler, HttpServerLimits limits = {});

// How to reach a server for one exchange: a closure over connect_unix or connect_tls.
using Connector = std::function<Task<Result<std::unique_ptr<Stream>>>()>;

// A client of one server. Keeps one connection alive between exchanges and opens a new one when that is gone; an
// exchange on a kept connection that the server just closed is tried again once on a new connection.
class HttpClient {
public:
    // `host` is sent as Host when a request has none.
    HttpClient(Clock& clock, Connector connector, codec::HttpLimits limits = {}, std::string host = "localhost");
    ~HttpClient();

    // Waits at most `limit` for the whole answer. Sets Host (when absent) and Content-Length.
    // Errors: unreachable, timeout, malformed (the answer). Any HTTP status is a success here.
    [[nodiscard]] Task<Result<codec::HttpResponse>> exchange(codec::HttpRequest request, Duration limit);

    // As exchange, but hands over the body of a 2xx answer as it arrives (logs --follow); any other answer is whole.
    // Ends when the server ends, or `on_body` returns false. No limit on a 2xx body's time or size.
    [[nodiscard]] Task<Result<codec::HttpResponse>> stream(codec::HttpRequest request,
                                                           std::function<bool(std::string_view)> on_body);

    // The same at the taker's pace: nothing is read from the server while `on_body` waits. Holds 16 KB of the body.
    [[nodiscard]] Task<Result<codec::HttpResponse>> relay(codec::HttpRequest request,
                                                          std::function<Task<bool>(std::string)> on_body);

private:
    struct State;
    std::unique_ptr<State> state_;
};

[[nodiscard]] Connector unix_connector(Network& network, std::filesystem::path path);
[[nodiscard]] Connector tls_connector(Network& network, std::string host, std::uint16_t port,
                                      std::shared_ptr<TlsClient> tls);

}  // namespace skerry::net
