// One exchange at a time per connection; between exchanges the connection is kept.
#include "base/timeout.hpp"
#include "net/http.hpp"

#include <fmt/format.h>

#include <array>

namespace skerry::net {

namespace {
constexpr std::size_t read_bytes = 16 * 1024;

using OnBody = std::function<Task<bool>(std::string)>;

// One request on one connection. `on_body` may be empty: then the answer comes as a whole.
struct Exchange {
    Stream& stream;
    std::string_view wire;
    codec::HttpResponseParser parser;
    const OnBody& on_body;
    std::size_t body_limit;
    std::string collected{};  // the body of an answer other than 2xx, when on_body takes the 2xx ones
    bool answered{false};     // a first byte came back
    bool stopped{false};      // on_body wants no more

    // What arrived of a 2xx body, for on_body; empty when there is nothing to hand over.
    [[nodiscard]] Result<std::string> piece() {
        if (!on_body || !parser.has_head()) return {};
        auto taken = parser.take_body();
        if (parser.head().status / 100 == 2) return taken;
        collected += taken;
        if (collected.size() > body_limit)
            return fail(Errc::full, fmt::format("the body is larger than {} bytes", body_limit));
        return {};
    }

    [[nodiscard]] codec::HttpResponse result() {
        if (!on_body) return std::move(*parser.take());
        auto response = parser.head();
        response.body = std::move(collected);
        return response;
    }
};

Task<Result<codec::HttpResponse>> converse(Exchange& exchange) {
    // A server may answer and close before it has read all of a request that it refuses: look for its answer anyway.
    const auto written = co_await exchange.stream.write(exchange.wire);
    std::array<char, read_bytes> buffer;
    while (!exchange.parser.complete() && !exchange.stopped) {
        const auto got = co_await exchange.stream.read_some(buffer);
        if (!got) co_return fail(written ? got.error() : written.error());
        if (*got == 0) {
            if (!exchange.answered) co_return fail(Errc::closed, "the server closed the connection without an answer");
            if (auto ended = exchange.parser.feed_end(); !ended) co_return fail(Errc::closed, ended.error().text);
        }
        exchange.answered = exchange.answered || *got > 0;
        if (auto fed = exchange.parser.feed({buffer.data(), *got}); !fed) co_return fail(fed.error());
        auto piece = exchange.piece();
        if (!piece) co_return fail(piece.error());
        if (!piece->empty()) exchange.stopped = !co_await exchange.on_body(std::move(*piece));
    }
    co_return exchange.result();
}
}  // namespace

struct HttpClient::State {
    Clock& clock;
    Connector connector;
    codec::HttpLimits limits;
    std::string host;
    std::unique_ptr<Stream> kept{};

    Task<Result<codec::HttpResponse>> run(codec::HttpRequest request, OnBody on_body);
};

HttpClient::HttpClient(Clock& clock, Connector connector, codec::HttpLimits limits, std::string host)
    : state_(std::make_unique<State>(clock, std::move(connector), limits, std::move(host))) {}
HttpClient::~HttpClient() = default;

Task<Result<codec::HttpResponse>> HttpClient::State::run(codec::HttpRequest request, OnBody on_body) {
    if (!request.headers.find("Host")) request.headers.set("Host", host);
    std::string wire;
    codec::serialize(request, wire);
    auto parsed = limits;
    if (on_body) parsed.body_bytes = codec::HttpLimits::unlimited;
    for (;;) {
        // Exchanges at the same time have a connection each; the last one to end leaves its own.
        auto stream = std::move(kept);
        const bool reused = stream != nullptr;
        if (!reused) {
            auto connected = co_await connector();
            if (!connected) co_return fail(connected.error());
            stream = std::move(*connected);
        }
        Exchange exchange{*stream, wire, codec::HttpResponseParser(parsed, request.method == "HEAD"), on_body,
                          limits.body_bytes};
        auto response = co_await converse(exchange);
        if (response) {
            const bool whole = exchange.parser.complete() && exchange.parser.keep_alive();
            if (whole && request.headers.find("Connection") != "close") kept = std::move(stream);
            co_return response;
        }
        if (reused && !exchange.answered && response.error().code == Errc::closed) continue;
        auto error = response.error().while_doing(fmt::format("{} {}", request.method, request.raw_path()));
        if (error.code == Errc::closed) error.code = Errc::unreachable;
        co_return fail(std::move(error));
    }
}

Task<Result<codec::HttpResponse>> HttpClient::exchange(codec::HttpRequest request, Duration limit) {
    const auto doing = fmt::format("{} {}", request.method, request.raw_path());
    auto response =
        co_await with_timeout<codec::HttpResponse>(state_->clock, limit, state_->run(std::move(request), nullptr));
    if (!response && response.error().code == Errc::timeout) co_return fail(response.error().while_doing(doing));
    co_return response;
}

namespace {
Task<bool> pass_on(const std::function<bool(std::string_view)>& on_body, std::string piece) {
    co_return on_body(piece);
}
}  // namespace

Task<Result<codec::HttpResponse>> HttpClient::stream(codec::HttpRequest request,
                                                     std::function<bool(std::string_view)> on_body) {
    // `on_body` lives in this frame for as long as the exchange does.
    co_return co_await state_->run(std::move(request),
                                   [&on_body](std::string piece) { return pass_on(on_body, std::move(piece)); });
}

Task<Result<codec::HttpResponse>> HttpClient::relay(codec::HttpRequest request,
                                                    std::function<Task<bool>(std::string)> on_body) {
    co_return co_await state_->run(std::move(request), std::move(on_body));
}

// The closures below are plain functions that make a Task from copies: no coroutine refers to its closure.
Connector unix_connector(Network& network, std::filesystem::path path) {
    return [&network, path = std::move(path)] { return network.connect_unix(path); };
}

Connector tls_connector(Network& network, std::string host, std::uint16_t port, std::shared_ptr<TlsClient> tls) {
    return
        [&network, host = std::move(host), port, tls = std::move(tls)] { return network.connect_tls(host, port, tls); };
}

}  // namespace skerry::net
