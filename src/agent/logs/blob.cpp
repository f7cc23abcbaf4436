#include "agent/logs/blob.hpp"

#include "base/backoff.hpp"
#include "base/encoding.hpp"
#include "base/log.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <utility>

namespace skerry::agent {

using namespace std::chrono_literals;

namespace {

constexpr std::string_view service_version = "2019-12-12";
constexpr Duration call_limit = 60s;
constexpr Duration first_pause = 10s;  // Backoff gives 50 to 100 % of it
constexpr Duration longest_pause = 20s;
constexpr int most_tries = 3;

bool is_this_machine(std::string_view host) {
    return host == "localhost" || host == "[::1]" || host == "::1" || host.starts_with("127.");
}

Result<std::uint16_t> port_of(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (failed != std::errc{} || end != text.data() + text.size() || port == 0)
        return fail(Errc::malformed, "sasUrl: the port is no number");
    return port;
}

// A blob's path with each of its segments escaped.
std::string escaped_path(std::string_view name) {
    std::string path;
    while (true) {
        const auto end = name.find('/');
        path += '/';
        path += percent_encode(name.substr(0, end));
        if (end == name.npos) return path;
        name.remove_prefix(end + 1);
    }
}

net::Connector connector_to(net::Network& network, const BlobPlace& place, std::shared_ptr<net::TlsClient> tls) {
    if (place.tls) return net::tls_connector(network, place.host, place.port, std::move(tls));
    return [&network, host = place.host, port = place.port] { return network.connect_tcp(host, port); };
}

std::string host_field(const BlobPlace& place) {
    const bool usual = place.port == (place.tls ? 443 : 80);
    const auto host = place.host.contains(':') ? "[" + place.host + "]" : place.host;
    return usual ? host : fmt::format("{}:{}", host, place.port);
}

Errc code_of(unsigned status) {
    if (status == 401 || status == 403) return Errc::unauthorized;
    if (status == 404) return Errc::not_found;
    if (status == 408 || status == 429 || status >= 500) return Errc::unreachable;
    return Errc::malformed;
}

// The storage's own name of what was wrong: a header, or <Code> in its XML.
std::string words_of(const codec::HttpResponse& response) {
    constexpr std::size_t longest = 100;
    if (const auto code = response.headers.find("x-ms-error-code")) return std::string(code->substr(0, longest));
    const auto begin = response.body.find("<Code>");
    const auto end = response.body.find("</Code>");
    if (begin == std::string::npos || end == std::string::npos || end < begin) return "no reason given";
    return response.body.substr(begin + 6, std::min(longest, end - begin - 6));
}

}  // namespace

Result<BlobPlace> parse_sas_url(std::string_view url, std::string_view parent) {
    BlobPlace place;
    const auto scheme_end = url.find("://");
    const auto scheme = to_lower(url.substr(0, scheme_end == url.npos ? 0 : scheme_end));
    if (scheme != "https" && scheme != "http")
        return fail(Errc::malformed,
                    "sasUrl: must begin with https://, as https://account.blob.core.windows.net/c?sv=…");
    place.tls = scheme == "https";
    url.remove_prefix(scheme_end + 3);
    const auto is_forbidden = [](char c) { return c <= ' ' || c == '\x7f' || c == '#'; };
    if (std::ranges::any_of(url, is_forbidden))
        return fail(Errc::malformed, "sasUrl: has a space, a control character or a '#'");
    const auto query_at = std::min(url.find('?'), url.size());
    if (query_at < url.size()) place.query = url.substr(query_at + 1);
    url = url.substr(0, query_at);
    const auto path_at = std::min(url.find('/'), url.size());
    place.path = url.substr(path_at);
    while (place.path.ends_with('/')) place.path.pop_back();
    auto authority = url.substr(0, path_at);
    if (authority.contains('@')) return fail(Errc::malformed, "sasUrl: a user in front of the host is not supported");
    place.port = place.tls ? 443 : 80;
    const auto colon = authority.rfind(':');
    if (colon != authority.npos && !authority.substr(colon).contains(']')) {
        const auto port = port_of(authority.substr(colon + 1));
        if (!port) return fail(port.error());
        place.port = *port;
        authority = authority.substr(0, colon);
    }
    if (authority == "$upstream") {
        if (parent.empty()) return fail(Errc::malformed, "sasUrl: has $upstream, but this device has no parent");
        authority = parent;
    }
    if (authority.empty()) return fail(Errc::malformed, "sasUrl: has no host");
    if (!place.tls && !is_this_machine(authority))
        return fail(Errc::malformed, "sasUrl: http:// is for storage on this very machine only; use https://");
    if (place.path.empty()) return fail(Errc::malformed, "sasUrl: names no container");
    if (authority.starts_with('[') && authority.ends_with(']')) authority = authority.substr(1, authority.size() - 2);
    place.host = authority;
    return place;
}

Blob::Blob(Parts parts, const BlobPlace& place, std::string_view name, BlobKind kind)
    : parts_(std::move(parts)),
      target_(place.path + escaped_path(name)),
      sas_(place.query),
      host_(host_field(place)),
      kind_(std::move(kind)),
      http_(parts_.clock, connector_to(parts_.network, place, parts_.tls), {}, host_) {}

codec::HttpRequest Blob::request_of(const Call& call) const {
    codec::HttpRequest request{.method = "PUT", .target = target_, .headers = {}, .body = call.body};
    request.target += '?' + sas_;
    if (!call.query.empty()) request.target += (sas_.empty() ? "" : "&") + call.query;
    request.headers.set("x-ms-version", std::string(service_version));
    if (call.whole_blob) {
        request.headers.set("x-ms-blob-content-type", kind_.content_type);
        if (!kind_.content_encoding.empty()) request.headers.set("x-ms-blob-content-encoding", kind_.content_encoding);
    }
    if (call.whole_blob && call.query.empty()) {
        request.headers.set("x-ms-blob-type", kind_.append ? "AppendBlob" : "BlockBlob");
        request.headers.set("Content-Type", kind_.content_type);
        if (!kind_.content_encoding.empty()) request.headers.set("Content-Encoding", kind_.content_encoding);
    }
    for (const auto& [name, value] : call.headers) request.headers.set(name, value);
    return request;
}

Task<Result<>> Blob::put(Call call) {
    Backoff pause(parts_.random, first_pause, longest_pause);
    Error error;
    for (int tries = 1; tries <= most_tries; ++tries) {
        if (tries > 1) co_await parts_.clock.sleep(pause.next());
        const auto response = co_await http_.exchange(request_of(call), call_limit);
        if (response && response->status / 100 == 2) co_return Result<>{};
        if (response && response->status == 412 && call.conflict_means_done && tries > 1) co_return Result<>{};
        // What the client says of a failed connection may hold the target, but never its query.
        error = response ? Error{code_of(response->status), fmt::format("the storage {} answered {}: {}", host_,
                                                                        response->status, words_of(*response))}
                         : response.error();
        const bool worth_it = error.code == Errc::unreachable || error.code == Errc::timeout;
        if (!worth_it) break;
        log::warn("Uploading to the storage {} did not work: {}", host_, error.text);
    }
    co_return fail(std::move(error));
}

Task<Result<>> Blob::append(std::string piece) {
    if (!created_) {
        auto created = co_await put({.query = {}, .whole_blob = true, .headers = {}, .body = {}});
        if (!created) co_return created;
        created_ = true;
    }
    if (piece.empty()) co_return Result<>{};
    const auto size = piece.size();
    // At its place only: a piece whose answer was lost is not appended twice.
    auto done = co_await put({.query = "comp=appendblock",
                              .headers = {{"x-ms-blob-condition-appendpos", std::to_string(appended_)}},
                              .body = std::move(piece),
                              .conflict_means_done = true});
    if (done) appended_ += size;
    co_return done;
}

Task<Result<>> Blob::write(std::string piece) {
    if (kind_.append) co_return co_await append(std::move(piece));
    auto id = base64_encode(fmt::format("{:08}", blocks_.size()));
    auto done =
        co_await put({.query = "comp=block&blockid=" + percent_encode(id), .headers = {}, .body = std::move(piece)});
    if (done) blocks_.push_back(std::move(id));
    co_return done;
}

Task<Result<>> Blob::finish(std::string rest) {
    if (kind_.append) co_return co_await append(std::move(rest));
    if (blocks_.empty())
        co_return co_await put({.query = {}, .whole_blob = true, .headers = {}, .body = std::move(rest)});
    if (!rest.empty())
        if (auto written = co_await write(std::move(rest)); !written) co_return written;
    std::string list = "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>";
    for (const auto& id : blocks_) list += "<Latest>" + id + "</Latest>";
    co_return co_await put({.query = "comp=blocklist",
                            .whole_blob = true,
                            .headers = {{"Content-Type", "application/xml"}},
                            .body = list + "</BlockList>"});
}

}  // namespace skerry::agent
