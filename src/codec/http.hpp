// HTTP/1.1 messages as values, parsed and serialized without I/O (Beast inside, in http_parser.cpp only).
//
// Promises: a parser never holds more than HttpLimits plus the bytes of one feed(). A field that would break the
//           message apart (a line break in a name or value) can't be written: control characters become spaces.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::codec {

struct HttpLimits {
    static constexpr std::size_t unlimited = static_cast<std::size_t>(-1);
    std::size_t header_bytes{16 * 1024};
    std::size_t body_bytes{1024 * 1024};
};

// Field names compare without case; order and duplicates are kept.
class HttpHeaders {
public:
    void set(std::string_view name, std::string value);  // replaces all of that name
    void add(std::string name, std::string value);
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
    [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& all() const { return fields_; }

private:
    std::vector<std::pair<std::string, std::string>> fields_;
};

struct HttpRequest {
    std::string method{"GET"};
    std::string target{"/"};  // as on the wire: path and query, percent-encoded; maybe with scheme and host in front
    HttpHeaders headers;
    std::string body;

    [[nodiscard]] std::string_view raw_path() const;  // without the query
    // The path's segments, split at raw '/', then percent-decoded: "/devices/a%2Fb/modules/" ->
    // {"devices","a/b","modules",""}. A segment with a broken escape stays as it is.
    [[nodiscard]] std::vector<std::string> segments() const;
    // A decoded query parameter, the first of that name; names compare exactly. nullopt for a broken escape, too.
    [[nodiscard]] std::optional<std::string> query(std::string_view name) const;
};

struct HttpResponse {
    unsigned status{200};
    HttpHeaders headers;
    std::string body;
    // When set, the body is what this returns, piece by piece, until nullopt; `body` must be empty.
    std::function<Task<std::optional<std::string>>()> next_chunk;
};

// Feed bytes as they come; take messages as they complete. Bytes of a following message are kept for the next take().
class HttpRequestParser {
public:
    explicit HttpRequestParser(HttpLimits limits);
    ~HttpRequestParser();
    HttpRequestParser(HttpRequestParser&&) noexcept;
    HttpRequestParser& operator=(HttpRequestParser&&) noexcept;

    // Errc::malformed for what is not HTTP, Errc::full for more than the limits. Final: answer with failure_status()
    // and close the connection.
    [[nodiscard]] Result<> feed(std::string_view bytes);
    // The status that tells the client what feed() refused: 400, 413 or 431; 0 when nothing failed.
    [[nodiscard]] unsigned failure_status() const;
    // nullopt: not complete yet.
    [[nodiscard]] std::optional<HttpRequest> take();
    // Something of a message has arrived that is not complete.
    [[nodiscard]] bool in_message() const;
    // The client waits for "100 Continue" before it sends the body; true once per message.
    [[nodiscard]] bool take_expects_continue();
    // Of the message last taken: may the connection serve another one; does the client understand chunks.
    [[nodiscard]] bool keep_alive() const;
    [[nodiscard]] bool accepts_chunks() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

// One answer; "100 Continue" and its like before it are skipped. HttpLimits::unlimited as body_bytes is for callers
// that take_body() after each feed().
class HttpResponseParser {
public:
    HttpResponseParser(HttpLimits limits, bool answers_head_request);
    ~HttpResponseParser();
    HttpResponseParser(HttpResponseParser&&) noexcept;
    HttpResponseParser& operator=(HttpResponseParser&&) noexcept;

    [[nodiscard]] Result<> feed(std::string_view bytes);
    // The peer closed: completes a body that has no length; Errc::malformed when the message was cut.
    [[nodiscard]] Result<> feed_end();
    [[nodiscard]] std::optional<HttpResponse> take();
    // The head is there; `body` holds what arrived and was not yet taken by take_body().
    [[nodiscard]] bool has_head() const;
    [[nodiscard]] const HttpResponse& head() const;
    [[nodiscard]] std::string take_body();
    [[nodiscard]] bool complete() const;
    [[nodiscard]] bool keep_alive() const;  // once complete: may the connection serve another exchange

private:
    struct State;
    std::unique_ptr<State> state_;
};

// Appends the whole message; Content-Length is set from the body (responses 1xx, 204 and 304 have none), whatever the
// headers say of Content-Length and Transfer-Encoding.
void serialize(const HttpRequest& request, std::string& out);
void serialize(const HttpResponse& response, bool keep_alive, std::string& out);
// The answer to a HEAD request: what serialize() gives, without the body.
void serialize_head_only(const HttpResponse& response, bool keep_alive, std::string& out);
// The head of a chunked response, one chunk (nothing for an empty piece, which would be the end), and the end.
void serialize_chunked_head(const HttpResponse& response, std::string& out, bool keep_alive = true);
void serialize_chunk(std::string_view piece, std::string& out);
void serialize_last_chunk(std::string& out);

// The head of a response whose body ends with the connection, for clients that don't know chunks (HTTP/1.0).
void serialize_unframed_head(const HttpResponse& response, std::string& out);

[[nodiscard]] std::string_view reason_of(unsigned status);

}  // namespace skerry::codec
