// One exchange with the daemon over HTTP: what its answers mean as errors. Internal to this library.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "codec/http.hpp"
#include "net/http.hpp"

#include <boost/json/object.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::daemonapi {

// A client of unix:///path or http://host:port; Errc::malformed for any other address.
[[nodiscard]] Result<std::unique_ptr<net::HttpClient>> client_of(net::Network& network, Clock& clock,
                                                                 std::string_view uri);

// A request with a JSON body, or without one.
[[nodiscard]] codec::HttpRequest request_of(std::string method, std::string target,
                                            const std::optional<boost::json::object>& body = {});

// Any status from 400 is an error with the daemon's own words: malformed (400, 415, 422), unauthorized (401, 403),
// not_found (404), timeout (408, 504), conflict (409), full (429), unreachable (502, 503), io (other).
[[nodiscard]] Result<> check(const codec::HttpResponse& response, std::string_view what);

[[nodiscard]] Task<Result<codec::HttpResponse>> call(net::HttpClient& http, codec::HttpRequest request, Duration limit);
[[nodiscard]] Task<Result<boost::json::object>> call_for_object(net::HttpClient& http, codec::HttpRequest request,
                                                                Duration limit);

}  // namespace skerry::daemonapi
