// An event of the cloud's log: a message that a device or module sent, with what the hub stamps on it; and its form on
// disk, one line of text (docs/formats/event_log.md).
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "model/identity.hpp"
#include "model/message.hpp"

#include <boost/json/object.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::cloud {

struct Telemetry {
    model::Identity source;
    std::string generation_id;
    std::string auth_scope{"device"};
    std::string auth_type{"sas"};
    model::Properties properties;
    model::Properties system;  // internal names, as the property bag gives them
    std::string body;
};

// A message of 256 KiB in the worst escaping, with room for what the hub adds.
inline constexpr std::size_t longest_line = 2 * 1024 * 1024;

// {"sequence":…,"enqueuedTime":"…","deviceId":"…",…}: system properties under the names of Event Hubs, the body as text
// when it is UTF-8, else as base64.
[[nodiscard]] boost::json::object event_json(const Telemetry& event, std::uint64_t sequence, WallTime enqueued);

// "<check> <json>\n"
[[nodiscard]] std::string event_line(const boost::json::object& json);

// The JSON text of a line (without its newline) whose check fits, else nullopt.
[[nodiscard]] std::optional<std::string_view> checked_text(std::string_view line);

struct LineHead {
    std::uint64_t sequence{0};
    WallTime enqueued;
};
// The two first members of an event's JSON, without parsing the rest.
[[nodiscard]] std::optional<LineHead> head_of(std::string_view json);

}  // namespace skerry::cloud
