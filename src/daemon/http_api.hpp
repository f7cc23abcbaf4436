// What the two APIs have in common: versions, routes, JSON in and out, errors as {"message":…}
// (agent-and-daemon.md 5.1).
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "codec/http.hpp"
#include "net/http.hpp"

#include <boost/json/object.hpp>

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::daemon {

// In order of age; a route is there from its version on.
inline constexpr std::array<std::string_view, 7> api_versions{"2018-06-28", "2019-01-30", "2019-10-22", "2019-11-05",
                                                              "2020-07-07", "2021-12-07", "2022-08-03"};
enum class Since : std::uint8_t { v2018_06_28, v2019_01_30, v2019_10_22, v2019_11_05, v2020_07_07 };

enum class Access { everybody, agent };

// One request that found its route.
struct Call {
    codec::HttpRequest request;
    std::vector<std::string> arguments;  // what stood at the pattern's "*", decoded
    std::optional<pid_t> caller;
};

template <class Api>
struct Route {
    std::string_view method;
    std::string_view pattern;  // "modules/*/start"
    Since since;
    Access access;
    Task<codec::HttpResponse> (Api::*handle)(Call call);
};

[[nodiscard]] codec::HttpResponse answer(unsigned status, const boost::json::object& body);
[[nodiscard]] codec::HttpResponse no_content();
[[nodiscard]] codec::HttpResponse refuse(unsigned status, std::string_view message);
[[nodiscard]] codec::HttpResponse refuse(const Error& error);

// The index of the request's api-version, or the answer that refuses it.
[[nodiscard]] std::expected<std::size_t, codec::HttpResponse> version_of(const codec::HttpRequest& request);

// Whether the decoded path fits, with what stood at each "*". A trailing '/' is accepted where `pattern` has one
// segment.
[[nodiscard]] std::optional<std::vector<std::string>> match(std::string_view pattern,
                                                            const std::vector<std::string>& segments);

// The request's JSON object, or the answer that refuses it: 400 without a body, 415 for a PUT that is not JSON, 422 for
// bad JSON.
[[nodiscard]] std::expected<boost::json::object, codec::HttpResponse> body_of(const codec::HttpRequest& request);

// A base64 member, decoded; Errc::malformed "invalid <name>".
[[nodiscard]] Result<std::string> base64_member(const boost::json::object& body, std::string_view name);

// The seconds of `wait=N` in a Prefer header (RFC 7240, 4.3), at most a day; zero when it asks for none.
[[nodiscard]] Duration preferred_wait(std::string_view prefer);

// Finds the route of `request` and has it answered. `is_agent` is asked for routes that only the agent may use.
template <class Api, std::size_t N>
Task<codec::HttpResponse> dispatch(Api& api, const std::array<Route<Api>, N>& routes, codec::HttpRequest request,
                                   std::optional<pid_t> caller) {
    const auto version = version_of(request);
    if (!version) co_return version.error();
    const auto segments = request.segments();
    bool other_verb = false;
    for (const auto& route : routes) {
        if (*version < static_cast<std::size_t>(route.since)) continue;
        auto arguments = match(route.pattern, segments);
        if (!arguments) continue;
        if (request.method != route.method) {
            other_verb = true;
            continue;
        }
        if (route.access == Access::agent && !(caller && api.is_agent(*caller))) co_return refuse(403, "forbidden");
        co_return co_await (api.*route.handle)(Call{std::move(request), std::move(*arguments), caller});
    }
    co_return other_verb ? refuse(400, "method not allowed") : refuse(404, "not found");
}

}  // namespace skerry::daemon
