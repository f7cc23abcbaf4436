// HTTP/1.1 messages as values, parsed and serialized without I/O (Beast inside, in http.cpp only).
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
    std::string target{"/"};  // as on the wire: path and query, percent-encoded
    HttpHeaders headers;
    std::string body;

    [[nodiscard]] std::string_view raw_path() const;  // without the query
    // The path's segments, split at raw '/', then percent-decoded: "/devices/a%2Fb/modules/" -> {"devices","a/b","modules",""}.
    [[nodiscard]] std::vector<std::string> segments() const;
    // A decoded query parameter; names compare exactly.
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

    // Errc::malformed for what is not HTTP, Errc::full for more than the limits. Final: close the connection.
    [[nodiscard]] Result<> feed(std::string_view bytes);
    // nullopt: not complete yet.
    [[nodiscard]] std::optional<HttpRequest> take();
    // Something of a message has arrived that is not complete.
    [[nodiscard]] bool in_message() const;
    // The client waits for "100 Continue" before it sends the body; true once per message.
    [[nodiscard]] bool take_expects_continue();

private:
    struct State;
    std::unique_ptr<State> state_;
};

class HttpResponseParser {
public:
    HttpResponseParser(HttpLimits limits, bool answers_head_request);
    ~HttpResponseParser();
    HttpResponseParser(HttpResponseParser&&) noexcept;

    [[nodiscard]] Result<> feed(std::string_view bytes);
    // The peer closed: completes a body that has no length; Errc::malformed when the message was cut.
    [[nodiscard]] Result<> feed_end();
    [[nodiscard]] std::optional<HttpResponse> take();
    // The head is there; `body` holds what arrived and was not yet taken by take_body().
    [[nodiscard]] bool has_head() const;
    [[nodiscard]] const HttpResponse& head() const;
    [[nodiscard]] std::string take_body();
    [[nodiscard]] bool complete() const;
    [[nodiscard]] bool keep_alive() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

// Appends the whole message; Content-Length is set from the body (responses 204 and 304 have none).
void serialize(const HttpRequest& request, std::string& out);
void serialize(const HttpResponse& response, bool keep_alive, std::string& out);
// The head of a chunked response, one chunk, and the end.
void serialize_chunked_head(const HttpResponse& response, std::string& out);
void serialize_chunk(std::string_view piece, std::string& out);
void serialize_last_chunk(std::string& out);

[[nodiscard]] std::string_view reason_of(unsigned status);

}  // namespace skerry::codec
