// HTTP messages as values: field lookup, the parts of a target, and writing. Reading is in http_parser.cpp.
#include "codec/http.hpp"

#include "base/encoding.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace skerry::codec {

void HttpHeaders::set(std::string_view name, std::string value) {
    std::erase_if(fields_, [&](const auto& field) { return equals_ignoring_case(field.first, name); });
    fields_.emplace_back(std::string(name), std::move(value));
}

void HttpHeaders::add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }

std::optional<std::string_view> HttpHeaders::find(std::string_view name) const {
    const auto found =
        std::ranges::find_if(fields_, [&](const auto& field) { return equals_ignoring_case(field.first, name); });
    if (found == fields_.end()) return std::nullopt;
    return found->second;
}

namespace {
// "http://host/path" -> "/path": proxies and a few clients send the absolute form.
std::string_view origin_form(std::string_view target) {
    if (target.starts_with('/')) return target;
    const auto scheme_end = target.find("://");
    if (scheme_end == std::string_view::npos) return target;
    const auto path = target.find_first_of("/?", scheme_end + 3);
    return path == std::string_view::npos ? std::string_view("/") : target.substr(path);
}
}  // namespace

std::string_view HttpRequest::raw_path() const {
    const auto form = origin_form(target);
    return form.substr(0, form.find('?'));
}

std::vector<std::string> HttpRequest::segments() const {
    std::vector<std::string> parts;
    auto rest = raw_path();
    if (rest.starts_with('/')) rest.remove_prefix(1);
    for (;;) {
        const auto end = rest.find('/');
        const auto raw = rest.substr(0, end);
        parts.push_back(percent_decode(raw).value_or(std::string(raw)));
        if (end == std::string_view::npos) return parts;
        rest.remove_prefix(end + 1);
    }
}

std::optional<std::string> HttpRequest::query(std::string_view name) const {
    const auto form = origin_form(target);
    const auto question = form.find('?');
    if (question == std::string_view::npos) return std::nullopt;
    auto rest = form.substr(question + 1);
    rest = rest.substr(0, rest.find('#'));
    for (;;) {
        const auto end = rest.find('&');
        const auto pair = rest.substr(0, end);
        const auto equals = pair.find('=');
        if (percent_decode(pair.substr(0, equals)) == name)
            return equals == std::string_view::npos ? "" : percent_decode(pair.substr(equals + 1));
        if (end == std::string_view::npos) return std::nullopt;
        rest.remove_prefix(end + 1);
    }
}

namespace {
bool has_body(unsigned status) { return status >= 200 && status != 204 && status != 304; }

bool is_framing(std::string_view name) {
    return equals_ignoring_case(name, "Content-Length") || equals_ignoring_case(name, "Transfer-Encoding");
}

void append_clean(std::string& out, std::string_view text) {
    for (const char character : text) {
        const auto byte = static_cast<unsigned char>(character);
        out.push_back((byte < 0x20 && byte != '\t') || byte == 0x7f ? ' ' : character);
    }
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
    append_clean(out, name);
    out += ": ";
    append_clean(out, value);
    out += "\r\n";
}

void append_fields(std::string& out, const HttpHeaders& headers) {
    for (const auto& [name, value] : headers.all())
        if (!is_framing(name)) append_field(out, name, value);
}

// The status line and the fields that are not about framing.
void append_response_start(const HttpResponse& response, bool keep_alive, std::string& out) {
    out += fmt::format("HTTP/1.1 {:03} {}\r\n", response.status, reason_of(response.status));
    append_fields(out, response.headers);
    if (!keep_alive && !response.headers.find("Connection")) append_field(out, "Connection", "close");
}
}  // namespace

void serialize(const HttpRequest& request, std::string& out) {
    append_clean(out, request.method);
    out += ' ';
    // A space in the target would end it.
    for (const char character : request.target) {
        if (static_cast<unsigned char>(character) <= 0x20 || character == 0x7f)
            out += percent_encode(std::string_view(&character, 1));
        else
            out += character;
    }
    out += " HTTP/1.1\r\n";
    append_fields(out, request.headers);
    const auto has_meaning = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
    if (has_meaning || !request.body.empty()) append_field(out, "Content-Length", fmt::to_string(request.body.size()));
    out += "\r\n";
    out += request.body;
}

void serialize_head_only(const HttpResponse& response, bool keep_alive, std::string& out) {
    append_response_start(response, keep_alive, out);
    if (has_body(response.status)) append_field(out, "Content-Length", fmt::to_string(response.body.size()));
    out += "\r\n";
}

void serialize(const HttpResponse& response, bool keep_alive, std::string& out) {
    serialize_head_only(response, keep_alive, out);
    if (has_body(response.status)) out += response.body;
}

void serialize_chunked_head(const HttpResponse& response, std::string& out, bool keep_alive) {
    append_response_start(response, keep_alive, out);
    append_field(out, "Transfer-Encoding", "chunked");
    out += "\r\n";
}

void serialize_unframed_head(const HttpResponse& response, std::string& out) {
    append_response_start(response, false, out);
    out += "\r\n";
}

void serialize_chunk(std::string_view piece, std::string& out) {
    if (piece.empty()) return;
    out += fmt::format("{:x}\r\n", piece.size());
    out += piece;
    out += "\r\n";
}

void serialize_last_chunk(std::string& out) { out += "0\r\n\r\n"; }

std::string_view reason_of(unsigned status) {
    struct Entry {
        unsigned status;
        std::string_view reason;
    };
    static constexpr std::array entries{
        Entry{100, "Continue"},
        Entry{101, "Switching Protocols"},
        Entry{200, "OK"},
        Entry{201, "Created"},
        Entry{202, "Accepted"},
        Entry{204, "No Content"},
        Entry{206, "Partial Content"},
        Entry{301, "Moved Permanently"},
        Entry{302, "Found"},
        Entry{304, "Not Modified"},
        Entry{307, "Temporary Redirect"},
        Entry{400, "Bad Request"},
        Entry{401, "Unauthorized"},
        Entry{403, "Forbidden"},
        Entry{404, "Not Found"},
        Entry{405, "Method Not Allowed"},
        Entry{406, "Not Acceptable"},
        Entry{408, "Request Timeout"},
        Entry{409, "Conflict"},
        Entry{410, "Gone"},
        Entry{411, "Length Required"},
        Entry{412, "Precondition Failed"},
        Entry{413, "Payload Too Large"},
        Entry{415, "Unsupported Media Type"},
        Entry{422, "Unprocessable Entity"},
        Entry{426, "Upgrade Required"},
        Entry{429, "Too Many Requests"},
        Entry{431, "Request Header Fields Too Large"},
        Entry{500, "Internal Server Error"},
        Entry{501, "Not Implemented"},
        Entry{502, "Bad Gateway"},
        Entry{503, "Service Unavailable"},
        Entry{504, "Gateway Timeout"},
        Entry{507, "Insufficient Storage"},
    };
    const auto* const found = std::ranges::find(entries, status, &Entry::status);
    return found == entries.end() ? std::string_view("Unknown") : found->reason;
}

}  // namespace skerry::codec
