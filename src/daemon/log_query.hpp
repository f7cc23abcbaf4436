// The query of GET /modules/{name}/logs.
#pragma once

#include "codec/http.hpp"
#include "engine/engine.hpp"

namespace skerry::daemon {

// follow and timestamps: true or false; tail: a number or "all"; since and until: seconds since 1970, RFC 3339, or how
// long ago ("1 day", "90m"). Errc::malformed "invalid parameter: <name>".
[[nodiscard]] Result<engine::LogOptions> parse_log_query(const codec::HttpRequest& request, WallTime now);

// The query's `name` as a time; nullopt: it is not there. Errc::malformed "invalid parameter: <name>".
[[nodiscard]] Result<std::optional<WallTime>> log_time_at(const codec::HttpRequest& request, std::string_view name,
                                                          WallTime now);
[[nodiscard]] std::optional<WallTime> parse_log_time(std::string_view text, WallTime now);

}  // namespace skerry::daemon
