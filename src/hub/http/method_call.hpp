// A direct method call as a module writes it (edge-hub.md 3.2).
//
// Promise: the payload goes on exactly as it was written: large numbers and duplicate names survive.
// Bounds:  a method's name of 100 characters, a payload of 128 KiB, timeouts of 300 s, a nesting of 64.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::hub::http {

struct MethodCall {
    std::string name;
    std::string payload;  // JSON text; "null" when there is none
    Duration connect{0};  // how long to wait for a target that is not there
    Duration response{std::chrono::seconds(30)};
};

// Errc::malformed: the text goes to the caller.
[[nodiscard]] Result<MethodCall> parse_method_call(std::string_view body);

// {"status":…,"payload":…} with the payload as the target wrote it; what is no JSON becomes a JSON string.
[[nodiscard]] std::string method_answer_text(int status, std::string_view payload);

// `text` as a JSON string; in what is not UTF-8 each byte beyond ASCII becomes '?'.
[[nodiscard]] std::string json_text(std::string text);

// The value of a member of the outermost object as it is written, the last one of that name. `object` must be valid
// JSON.
[[nodiscard]] std::optional<std::string_view> raw_member(std::string_view object, std::string_view name);

}  // namespace skerry::hub::http
