#include "codec/http.hpp"

#include <doctest/doctest.h>

using namespace skerry;
using namespace skerry::codec;

namespace {
// The requests found in `wire`, fed in pieces of `step` bytes.
std::vector<HttpRequest> requests_of(std::string_view wire, std::size_t step, HttpRequestParser& parser) {
    std::vector<HttpRequest> found;
    for (std::size_t at = 0; at < wire.size(); at += step) {
        REQUIRE(parser.feed(wire.substr(at, step)));
        while (auto request = parser.take()) found.push_back(std::move(*request));
    }
    return found;
}

constexpr std::string_view two_requests =
    "POST /devices/a%2Fb/x?api-version=2020&name=a%20b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"
    "GET / HTTP/1.1\r\nhost: h\r\nConnection: close\r\n\r\n";
}  // namespace

TEST_CASE("requests are found however the bytes are cut") {
    for (const std::size_t step : {1U, 2U, 7U, 64U, 4096U}) {
        HttpRequestParser parser(HttpLimits{});
        const auto found = requests_of(two_requests, step, parser);
        REQUIRE(found.size() == 2);
        CHECK(found[0].method == "POST");
        CHECK(found[0].body == "hello");
        CHECK(found[0].headers.find("HOST") == "localhost");
        CHECK(found[1].method == "GET");
        CHECK_FALSE(parser.keep_alive());
        CHECK_FALSE(parser.in_message());
    }
}

TEST_CASE("a target falls into decoded segments and query parameters") {
    HttpRequest request;
    request.target = "/devices/a%2Fb/modules/?api-version=2020&name=a%20b&flag&bad=%zz";
    CHECK(request.raw_path() == "/devices/a%2Fb/modules/");
    CHECK(request.segments() == std::vector<std::string>{"devices", "a/b", "modules", ""});
    CHECK(request.query("api-version") == "2020");
    CHECK(request.query("name") == "a b");
    CHECK(request.query("flag") == "");
    CHECK_FALSE(request.query("bad"));
    CHECK_FALSE(request.query("Name"));
    request.target = "http://host:80/x?y=1";
    CHECK(request.raw_path() == "/x");
    CHECK(request.query("y") == "1");
}

TEST_CASE("a chunked body is put together") {
    HttpRequestParser parser(HttpLimits{});
    const auto found = requests_of(
        "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n", 3, parser);
    REQUIRE(found.size() == 1);
    CHECK(found[0].body == "hello!");
}

TEST_CASE("the end of a chunked body may come in any pieces") {
    const std::string head = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (const std::string body : {"0\r\n\r\n", "1\r\n!\r\n0\r\n\r\n", "0\r\nX: y\r\n\r\n"}) {
        for (std::size_t first = 0; first <= body.size(); ++first)
            for (std::size_t second = first; second <= body.size(); ++second) {
                HttpRequestParser parser{HttpLimits{}};
                REQUIRE(parser.feed(head + body.substr(0, first)));
                REQUIRE(parser.feed(body.substr(first, second - first)));
                CHECK(parser.take().has_value() == (second == body.size()));
                REQUIRE(parser.feed(body.substr(second)));
                if (second < body.size()) CHECK(parser.take().has_value());
            }
    }
}

TEST_CASE("what is not HTTP, or framed in two ways, is refused with 400") {
    for (const std::string_view wire :
         {"\x16\x03\x01\x02\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/3.0\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n",
          "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
          "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
          "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"}) {
        HttpRequestParser parser(HttpLimits{});
        const auto fed = parser.feed(wire);
        REQUIRE_MESSAGE(!fed, wire);
        CHECK(fed.error().code == Errc::malformed);
        CHECK(parser.failure_status() == 400);
        CHECK_FALSE(parser.take());
        CHECK_FALSE(parser.feed("GET / HTTP/1.1\r\n\r\n"));
    }
}

TEST_CASE("a head or body over its limit is refused with 431 or 413") {
    const HttpLimits limits{.header_bytes = 256, .body_bytes = 100};
    HttpRequestParser long_head(limits);
    CHECK(long_head.feed("GET / HTTP/1.1\r\nx: " + std::string(300, 'a')).error().code == Errc::full);
    CHECK(long_head.failure_status() == 431);

    HttpRequestParser announced(limits);
    CHECK_FALSE(announced.feed("POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n"));
    CHECK(announced.failure_status() == 413);

    HttpRequestParser chunked(limits);
    CHECK_FALSE(
        chunked.feed("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" + std::string(101, 'a') + "\r\n"));
    CHECK(chunked.failure_status() == 413);

    HttpRequestParser endless_extension(limits);
    REQUIRE(endless_extension.feed("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;x="));
    CHECK_FALSE(endless_extension.feed(std::string(300, 'a')));
    CHECK(endless_extension.failure_status() == 431);

    HttpRequestParser exact(limits);
    REQUIRE(exact.feed("POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n" + std::string(100, 'a')));
    CHECK(exact.take()->body.size() == 100);
}

TEST_CASE("requests sent ahead are bounded") {
    HttpRequestParser parser(HttpLimits{.header_bytes = 64, .body_bytes = 0});
    const std::string_view request = "GET / HTTP/1.1\r\n\r\n";
    auto fed = Result<>{};
    int accepted = 0;
    while (fed && accepted < 1000) {
        fed = parser.feed(request);
        ++accepted;
    }
    CHECK(fed.error().code == Errc::full);
    CHECK(accepted < 10);
}

TEST_CASE("a client that expects 100-continue is noticed once") {
    HttpRequestParser parser(HttpLimits{});
    REQUIRE(parser.feed("POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n"));
    CHECK_FALSE(parser.take_expects_continue());
    REQUIRE(parser.feed("\r\n"));
    CHECK(parser.take_expects_continue());
    CHECK_FALSE(parser.take_expects_continue());
    REQUIRE(parser.feed("hi"));
    CHECK(parser.take()->body == "hi");
}

TEST_CASE("an HTTP/1.0 client gets one answer and no chunks") {
    HttpRequestParser parser(HttpLimits{});
    REQUIRE(parser.feed("GET / HTTP/1.0\r\n\r\n"));
    REQUIRE(parser.take());
    CHECK_FALSE(parser.keep_alive());
    CHECK_FALSE(parser.accepts_chunks());
}

TEST_CASE("a response is read back as it was written") {
    HttpResponse sent{.status = 404, .body = "nothing here"};
    sent.headers.set("Content-Type", "text/plain");
    std::string wire;
    serialize(sent, true, wire);
    for (const std::size_t step : {1U, 5U, 4096U}) {
        HttpResponseParser parser(HttpLimits{}, false);
        for (std::size_t at = 0; at < wire.size(); at += step)
            REQUIRE(parser.feed(std::string_view(wire).substr(at, step)));
        CHECK(parser.complete());
        CHECK(parser.keep_alive());
        const auto got = parser.take();
        REQUIRE(got);
        CHECK(got->status == 404);
        CHECK(got->body == "nothing here");
        CHECK(got->headers.find("content-type") == "text/plain");
        CHECK_FALSE(parser.take());
    }
}

TEST_CASE("a request is read back as it was written, and can't smuggle a second one") {
    HttpRequest sent{.method = "PUT", .target = "/a b\r\nX: y", .body = "{}"};
    sent.headers.set("Host", "h\r\nInjected: yes");
    sent.headers.set("Content-Length", "999");
    std::string wire;
    serialize(sent, wire);
    HttpRequestParser parser(HttpLimits{});
    REQUIRE(parser.feed(wire));
    const auto got = parser.take();
    REQUIRE(got);
    CHECK(got->target == "/a%20b%0D%0AX:%20y");
    CHECK(got->headers.find("host") == "h  Injected: yes");
    CHECK_FALSE(got->headers.find("injected"));
    CHECK(got->headers.find("content-length") == "2");
    CHECK(got->body == "{}");
}

TEST_CASE("a body without a length ends with the connection") {
    HttpResponseParser parser(HttpLimits{}, false);
    REQUIRE(parser.feed("HTTP/1.1 200 OK\r\n\r\nabc"));
    REQUIRE(parser.feed("def"));
    CHECK_FALSE(parser.complete());
    REQUIRE(parser.feed_end());
    CHECK(parser.take()->body == "abcdef");
    CHECK_FALSE(parser.keep_alive());
}

TEST_CASE("an answer that is cut is malformed") {
    for (const std::string_view wire : {"", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
                                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"}) {
        HttpResponseParser parser(HttpLimits{}, false);
        REQUIRE(parser.feed(wire));
        const auto ended = parser.feed_end();
        REQUIRE_MESSAGE(!ended, wire);
        CHECK(ended.error().code == Errc::malformed);
    }
}

TEST_CASE("interim answers are skipped and HEAD answers have no body") {
    HttpResponseParser parser(HttpLimits{}, true);
    REQUIRE(parser.feed("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"));
    CHECK(parser.complete());
    CHECK(parser.take()->status == 200);

    HttpResponseParser no_content(HttpLimits{}, false);
    REQUIRE(no_content.feed("HTTP/1.1 204 No Content\r\n\r\n"));
    CHECK(no_content.complete());
    CHECK(no_content.keep_alive());
}

TEST_CASE("a chunked answer can be taken piece by piece without limit") {
    std::string wire;
    serialize_chunked_head(HttpResponse{}, wire);
    HttpResponseParser parser(HttpLimits{.header_bytes = 1024, .body_bytes = HttpLimits::unlimited}, false);
    REQUIRE(parser.feed(wire));
    CHECK(parser.has_head());
    std::size_t total = 0;
    for (int i = 0; i < 100; ++i) {
        std::string chunk;
        serialize_chunk(std::string(5000, 'x'), chunk);
        REQUIRE(parser.feed(chunk));
        total += parser.take_body().size();
    }
    CHECK(total == 500'000);
    wire.clear();
    serialize_chunk("", wire);
    CHECK(wire.empty());
    serialize_last_chunk(wire);
    REQUIRE(parser.feed(wire));
    CHECK(parser.complete());
    CHECK(parser.keep_alive());
}

TEST_CASE("bytes after an answer are refused or cost the connection") {
    HttpResponseParser parser(HttpLimits{}, false);
    REQUIRE(parser.feed("HTTP/1.1 204 No Content\r\n\r\nextra"));
    CHECK(parser.complete());
    CHECK_FALSE(parser.keep_alive());
    CHECK_FALSE(parser.feed("more"));
}

TEST_CASE("204 has no length, HEAD keeps the length of the body it leaves out") {
    std::string wire;
    serialize(HttpResponse{.status = 204}, false, wire);
    CHECK(wire == "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    wire.clear();
    serialize_head_only(HttpResponse{.body = "four"}, true, wire);
    CHECK(wire == "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
}
