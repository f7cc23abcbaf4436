// Reads HTTP/1.1 with Beast's parser, which sees one contiguous buffer and never a socket.
#include "codec/http.hpp"

#include "base/encoding.hpp"

#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>

#include <fmt/format.h>

#include <limits>

namespace skerry::codec {

namespace http = boost::beast::http;
using boost::beast::error_code;

namespace {
// Unlike Beast's string_body it reserves nothing up front: a Content-Length alone must not cost memory.
struct GrowingBody {
    using value_type = std::string;

    class reader {
    public:
        template <bool is_request, class Fields>
        reader(http::header<is_request, Fields>&, std::string& body) : body_(body) {}

        void init(const boost::optional<std::uint64_t>&, error_code& failed) { failed = {}; }
        template <class Buffers>
        std::size_t put(const Buffers& buffers, error_code& failed) {
            failed = {};
            std::size_t total = 0;
            for (const boost::asio::const_buffer buffer : boost::beast::buffers_range_ref(buffers)) {
                body_.append(static_cast<const char*>(buffer.data()), buffer.size());
                total += buffer.size();
            }
            return total;
        }
        void finish(error_code& failed) { failed = {}; }

    private:
        std::string& body_;
    };
};

template <bool is_request>
using BeastParser = http::parser<is_request, GrowingBody>;

template <bool is_request>
void prepare(std::optional<BeastParser<is_request>>& parser, const HttpLimits& limits) {
    parser.emplace();
    parser->eager(true);
    constexpr auto most = std::numeric_limits<std::uint32_t>::max();
    parser->header_limit(static_cast<std::uint32_t>(std::min<std::size_t>(limits.header_bytes, most)));
    if (limits.body_bytes == HttpLimits::unlimited)
        parser->body_limit(boost::none);
    else
        parser->body_limit(limits.body_bytes);
}

template <class Fields>
void copy_fields(const Fields& from, HttpHeaders& to) {
    for (const auto& field : from) to.add(std::string(field.name_string()), std::string(field.value()));
}

// What a refused message means for the peer: the status to answer with, and the error to report.
struct Refusal {
    unsigned status;
    Error error;
};

Refusal too_much_head(const HttpLimits& limits) {
    return {431, {Errc::full, fmt::format("the HTTP head is larger than {} bytes", limits.header_bytes)}};
}

Refusal refusal_of(const error_code& failed, const HttpLimits& limits) {
    if (failed == http::error::header_limit) return too_much_head(limits);
    if (failed == http::error::body_limit || failed == http::error::buffer_overflow)
        return {413, {Errc::full, fmt::format("the HTTP body is larger than {} bytes", limits.body_bytes)}};
    return {400, {Errc::malformed, "not HTTP/1.1: " + failed.message()}};
}

constexpr std::size_t least_of_chunks = 5;

// Bytes that the parser has not taken yet, in one piece.
class Input {
public:
    void append(std::string_view bytes) {
        if (start_ > 0) {
            buffer_.erase(0, start_);
            start_ = 0;
        }
        buffer_ += bytes;
    }
    [[nodiscard]] std::size_t size() const { return buffer_.size() - start_; }

    // Gives the parser what it takes. An error of the parser, or none when it waits for more or is done.
    template <class Parser>
    error_code run(Parser& parser) {
        error_code failed;
        while (!parser.is_done() && size() > 0) {
            // Of a chunked body at least "0\r\n\r\n" is still to come. Beast, which has seen "0\r\n", asserts that it
            // gets these five bytes the next time.
            if (parser.is_header_done() && parser.chunked() && size() < least_of_chunks) break;
            const auto used = parser.put(boost::asio::const_buffer(buffer_.data() + start_, size()), failed);
            start_ += used;
            if (failed == http::error::need_more) {
                failed = {};
                break;
            }
            if (failed) break;
        }
        if (start_ == buffer_.size()) {
            // An idle connection keeps no buffer.
            std::string().swap(buffer_);
            start_ = 0;
        }
        return failed;
    }

private:
    std::string buffer_;
    std::size_t start_{0};
};
}  // namespace

struct HttpRequestParser::State {
    HttpLimits limits;
    Input input;
    std::optional<BeastParser<true>> parser;
    std::optional<Refusal> refused;
    bool told_to_continue{false};
    bool last_keep_alive{true};
    bool last_accepts_chunks{true};

    Result<> run() {
        if (const auto failed = input.run(*parser)) refused = refusal_of(failed, limits);
        // What the parser leaves while it is not done is part of one line, or the head.
        else if (!parser->is_done() && input.size() > limits.header_bytes)
            refused = too_much_head(limits);
        if (refused) return fail(refused->error);
        return {};
    }
};

HttpRequestParser::HttpRequestParser(HttpLimits limits) : state_(std::make_unique<State>()) {
    state_->limits = limits;
    prepare(state_->parser, limits);
}
HttpRequestParser::~HttpRequestParser() = default;
HttpRequestParser::HttpRequestParser(HttpRequestParser&&) noexcept = default;
HttpRequestParser& HttpRequestParser::operator=(HttpRequestParser&&) noexcept = default;

Result<> HttpRequestParser::feed(std::string_view bytes) {
    if (state_->refused) return fail(state_->refused->error);
    // Requests sent ahead wait here while one is being answered; a server that reads on all the same meets the limit.
    const auto most = state_->limits.header_bytes + state_->limits.body_bytes;
    if (state_->parser->is_done() && state_->input.size() > most) {
        state_->refused = Refusal{413, {Errc::full, "too many requests were sent ahead on one connection"}};
        return fail(state_->refused->error);
    }
    state_->input.append(bytes);
    return state_->run();
}

unsigned HttpRequestParser::failure_status() const { return state_->refused ? state_->refused->status : 0; }

std::optional<HttpRequest> HttpRequestParser::take() {
    auto& state = *state_;
    if (state.refused || !state.parser->is_done()) return std::nullopt;
    state.last_keep_alive = state.parser->keep_alive();
    auto message = state.parser->release();
    state.last_accepts_chunks = message.version() >= 11;
    HttpRequest request;
    request.method = std::string(message.method_string());
    request.target = std::string(message.target());
    copy_fields(message, request.headers);
    request.body = std::move(message.body());
    prepare(state.parser, state.limits);
    state.told_to_continue = false;
    // What is left may be a whole request; if it is broken, the next feed() says so.
    (void)state.run();
    return request;
}

bool HttpRequestParser::in_message() const { return state_->input.size() > 0 || state_->parser->got_some(); }

bool HttpRequestParser::take_expects_continue() {
    auto& state = *state_;
    if (state.refused || state.told_to_continue || !state.parser->is_header_done() || state.parser->is_done())
        return false;
    const auto& message = state.parser->get();
    if (message.version() < 11 || !equals_ignoring_case(message[http::field::expect], "100-continue")) return false;
    state.told_to_continue = true;
    return true;
}

bool HttpRequestParser::keep_alive() const { return state_->last_keep_alive; }
bool HttpRequestParser::accepts_chunks() const { return state_->last_accepts_chunks; }

struct HttpResponseParser::State {
    HttpLimits limits;
    bool answers_head_request{false};
    Input input;
    std::optional<BeastParser<false>> parser;
    HttpResponse head;
    std::optional<Error> failure;
    bool has_head{false};
    bool taken{false};

    void restart() {
        prepare(parser, limits);
        if (answers_head_request) parser->skip(true);
    }

    Result<> run() {
        for (;;) {
            if (const auto failed = input.run(*parser)) {
                failure = refusal_of(failed, limits).error;
                return fail(*failure);
            }
            const auto status = parser->is_header_done() ? parser->get().result_int() : 0;
            const auto interim = status >= 100 && status < 200 && status != 101;
            if (!interim || !parser->is_done()) break;
            restart();
        }
        if (!parser->is_done() && input.size() > limits.header_bytes) {
            failure = too_much_head(limits).error;
            return fail(*failure);
        }
        note_head();
        return {};
    }

    void note_head() {
        if (has_head || !parser->is_header_done()) return;
        head.status = parser->get().result_int();
        copy_fields(parser->get(), head.headers);
        has_head = true;
    }
};

HttpResponseParser::HttpResponseParser(HttpLimits limits, bool answers_head_request)
    : state_(std::make_unique<State>()) {
    state_->limits = limits;
    state_->answers_head_request = answers_head_request;
    state_->restart();
}
HttpResponseParser::~HttpResponseParser() = default;
HttpResponseParser::HttpResponseParser(HttpResponseParser&&) noexcept = default;
HttpResponseParser& HttpResponseParser::operator=(HttpResponseParser&&) noexcept = default;

Result<> HttpResponseParser::feed(std::string_view bytes) {
    auto& state = *state_;
    if (state.failure) return fail(*state.failure);
    if (state.parser->is_done() && !bytes.empty()) {
        state.failure = Error{Errc::malformed, "the server sent more than its answer"};
        return fail(*state.failure);
    }
    state.input.append(bytes);
    return state.run();
}

Result<> HttpResponseParser::feed_end() {
    auto& state = *state_;
    if (state.failure) return fail(*state.failure);
    if (state.parser->is_done()) return {};
    error_code failed = http::error::partial_message;
    if (state.parser->got_some()) state.parser->put_eof(failed);
    if (failed) {
        state.failure = Error{Errc::malformed, "the connection ended in the middle of the HTTP answer"};
        return fail(*state.failure);
    }
    return {};
}

std::optional<HttpResponse> HttpResponseParser::take() {
    auto& state = *state_;
    if (state.failure || state.taken || !state.parser->is_done()) return std::nullopt;
    state.taken = true;
    auto response = state.head;
    response.body = take_body();
    return response;
}

bool HttpResponseParser::has_head() const { return state_->has_head; }
const HttpResponse& HttpResponseParser::head() const { return state_->head; }

std::string HttpResponseParser::take_body() { return std::exchange(state_->parser->get().body(), {}); }

bool HttpResponseParser::complete() const { return state_->parser->is_done(); }
bool HttpResponseParser::keep_alive() const {
    return complete() && state_->input.size() == 0 && state_->parser->keep_alive();
}

}  // namespace skerry::codec
