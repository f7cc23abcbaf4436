// Routing conditions in bulk: one JSON line in, one JSON line out.
#pragma once

#include <string>
#include <string_view>

namespace skerry::cli {

// Reads {"condition": text, "message": {"body": text, "properties": {…}, "systemProperties": {…}}}, where the body is
// raw UTF-8, every part of the message may be missing, and a property is text or null (a key without a value).
// Answers {"result":"true"|"false"|"undefined"}, or {"error": text} for a line or condition that can't be read.
// Without a line end. Pure.
[[nodiscard]] std::string evaluate_line(std::string_view line);

}  // namespace skerry::cli
